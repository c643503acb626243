// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

// go.go - the rows of tools/peers for Go.
package main

/*
#include <pthread.h>
#include <stdint.h>

static void empty(void) {}

extern void goEmpty(void);

static void callBack(uint64_t n)
{
	while (n--)
		goEmpty();
}

static void *foreign(void *n)
{
	callBack((uint64_t)(uintptr_t)n);
	return 0;
}

static void fromThread(uint64_t n)
{
	pthread_t t;

	pthread_create(&t, 0, foreign, (void *)(uintptr_t)n);
	pthread_join(t, 0);
}
*/
import "C"

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sort"
	"sync"
	"syscall"
	"time"
)

//export goEmpty
func goEmpty() {}

func yields(n int) {
	done := make(chan bool)
	go func() {
		for i := 0; i < n; i++ {
			runtime.Gosched()
		}
		close(done)
	}()
	for i := 0; i < n; i++ {
		runtime.Gosched()
	}
	<-done
}

// There is no join: a channel brings the result.
func spawn(n int) {
	result := make(chan int)
	for i := 0; i < n; i++ {
		go func(i int) { result <- i }(i)
		if <-result != i {
			panic("wrong result")
		}
	}
}

func batch(n int) {
	for ; n > 0; n-- {
		var wg sync.WaitGroup
		wg.Add(10000)
		for i := 0; i < 10000; i++ {
			go wg.Done()
		}
		wg.Wait()
	}
}

func channel(n int) {
	to, from := make(chan int), make(chan int)
	go func() {
		for v := range to {
			from <- v
		}
		close(from)
	}()
	for i := 0; i < n; i++ {
		to <- i
		if <-from != i {
			panic("wrong element")
		}
	}
	close(to)
	<-from
}

func node(result chan int, first, n int) {
	if n == 1 {
		result <- first
		return
	}
	parts := make(chan int)
	for i := 0; i < 10; i++ {
		go node(parts, first+i*(n/10), n/10)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-parts
	}
	result <- sum
}

func skynet(n int) {
	result := make(chan int)
	for ; n > 0; n-- {
		go node(result, 0, 1000000)
		if <-result != 499999500000 {
			panic("wrong sum")
		}
	}
}

func mutex(n int) {
	var lock sync.Mutex
	var wg sync.WaitGroup
	inside := 0
	wg.Add(4)
	lock.Lock()
	for i := 0; i < 4; i++ {
		go func() {
			for i := 0; i < n; i++ {
				lock.Lock()
				inside++
				lock.Unlock()
			}
			wg.Done()
		}()
	}
	runtime.Gosched()
	lock.Unlock()
	wg.Wait()
	if inside != 4*n {
		panic("not exclusive")
	}
}

func call(n int) {
	for ; n > 0; n-- {
		C.empty()
	}
}

func callback(n int) { C.callBack(C.uint64_t(n)) }

func foreign(n int) { C.fromThread(C.uint64_t(n)) }

func serve(port string) {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 4096)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err = c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

var rows = map[string]struct {
	body  func(int)
	procs int
	per   int
}{
	"yield":    {yields, 1, 2},
	"spawn":    {spawn, 1, 1},
	"batch":    {batch, 1, 10000},
	"chan1":    {channel, 1, 1},
	"chan2":    {channel, 2, 1},
	"skynet1":  {skynet, 1, 1000000},
	"skynet2":  {skynet, 2, 1000000},
	"mutex":    {mutex, 1, 4},
	"call":     {call, 1, 1},
	"callback": {callback, 1, 1},
	"foreign":  {foreign, 1, 1},
}

func run(body func(int), n int) int {
	start := time.Now()
	body(n)
	return int(time.Since(start).Nanoseconds())
}

// handoff: from the begin of a system call that blocks for 20 ms until the
// goroutine runs that waits for the processor; the median of 50. For tools/pictures.
func handoff() int64 {
	var ns [50]int64
	ran := make(chan time.Time, 1)
	for i := range ns {
		go func() { ran <- time.Now() }()
		block := syscall.Timespec{Nsec: 20000000}
		start := time.Now()
		syscall.Nanosleep(&block, nil)
		ns[i] = (<-ran).Sub(start).Nanoseconds()
	}
	sort.Slice(ns[:], func(a, b int) bool { return ns[a] < ns[b] })
	return ns[len(ns)/2]
}

func main() {
	if os.Args[1] == "handoff" {
		runtime.GOMAXPROCS(1)
		fmt.Println(handoff())
		return
	}
	if os.Args[1] == "echo" {
		runtime.GOMAXPROCS(1)
		serve(os.Args[2])
	}
	row, ok := rows[os.Args[1]]
	if !ok {
		os.Exit(3)
	}
	runtime.GOMAXPROCS(row.procs)
	n, ns := 1, 0
	for again := 0; again < 2; again++ {
		ns = run(row.body, n)
		if ns < 100000000 {
			again = -1
			if ns < 10000000 {
				n *= 10
			} else {
				n *= 2
			}
		}
	}
	fmt.Printf("%.2f\n", float64(ns)/float64(n*row.per))
}
