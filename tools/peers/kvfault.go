// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

// kvfault.go - what tools/examples/kvfault reads, read by goroutines.
//
//	kvfault-go [-c READERS] [-n READS] FOLDER
//
// A store that "kvfault --load" has made is mapped, and its tree, LMDB's, is gone
// through here, in Go: so a goroutine faults in its own code, which nothing
// announces to Go's scheduler. A call of the library through cgo would announce
// all of each read, and be paid for, also by those that do not fault.
//
// Readers, keys, sum and what is printed are those of kvfault.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// LMDB's layout, of version 1, on a machine with 64 bits and the lower byte
// first
const (
	header  = 16 // of a page
	magic   = 0xbeefc0de
	isLeaf  = 2    // a flag of a page
	big     = 1    // of a node: the value is elsewhere
	value   = 1500 // bytes of each
	dontNow = 4    // POSIX_FADV_DONTNEED
)

var order = binary.LittleEndian

type store struct {
	mem     []byte
	page    uint64
	root    uint64
	entries uint64
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "kvfault-go:", err)
		os.Exit(1)
	}
}

func wrong(what string) {
	check(fmt.Errorf("not a store of kvfault: %s", what))
}

// The page cache is dropped: the disk is what is measured.
func open(folder string) *store {
	f, err := os.Open(filepath.Join(folder, "data.mdb"))
	check(err)
	defer f.Close()
	_, _, e := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0,
		dontNow, 0, 0)
	if e != 0 {
		check(e)
	}
	st, err := f.Stat()
	check(err)
	mem, err := syscall.Mmap(int(f.Fd()), 0, int(st.Size()),
		syscall.PROT_READ, syscall.MAP_SHARED)
	check(err)
	check(syscall.Madvise(mem, syscall.MADV_RANDOM))
	s := &store{mem: mem}
	s.readMeta()
	return s
}

// Two pages say where the root is; the younger one is right.
func (s *store) readMeta() {
	var youngest uint64

	if len(s.mem) < header+28 || order.Uint32(s.mem[header:]) != magic {
		wrong("it has another head")
	}
	s.page = uint64(order.Uint32(s.mem[header+24:]))
	for i := uint64(0); i < 2; i++ {
		m := s.mem[i*s.page+header:]
		if order.Uint32(m) != magic || order.Uint32(m[4:]) != 1 {
			wrong("it has another head")
		}
		// Magic, version, address, size; two trees; the last page
		main := m[24+48:]
		id := order.Uint64(m[24+2*48+8:])
		if i == 0 || id > youngest {
			youngest = id
			s.entries = order.Uint64(main[32:])
			s.root = order.Uint64(main[40:])
		}
	}
	if s.entries == 0 {
		wrong("it is empty")
	}
}

// The node of the greatest key that is not greater than the one wanted. The
// first one of a branch has no key: it is less than all.
func find(page []byte, key uint64) []byte {
	leaf := order.Uint16(page[10:])&isLeaf != 0
	low, high := 0, (int(order.Uint16(page[12:]))-header)/2
	for high-low > 1 {
		mid := (low + high) / 2
		if order.Uint64(node(page, mid)[8:]) <= key {
			low = mid
		} else {
			high = mid
		}
	}
	n := node(page, low)
	if leaf && order.Uint64(n[8:]) != key {
		wrong("a key is missing")
	}
	return n
}

func node(page []byte, i int) []byte {
	return page[order.Uint16(page[header+2*i:]):]
}

func (s *store) get(key uint64) []byte {
	at := s.root
	for {
		page := s.mem[at*s.page:][:s.page]
		n := find(page, key)
		low := uint64(order.Uint32(n))
		flags := order.Uint16(n[4:])
		if order.Uint16(page[10:])&isLeaf == 0 {
			at = low | uint64(flags)<<32
			continue
		}
		if flags&big != 0 || low != value {
			wrong("a value of another size")
		}
		return n[8+order.Uint16(n[6:]):][:value]
	}
}

// As kvfault has it
func mix(i uint64) uint64 {
	i *= 0x9e3779b97f4a7c15
	i = (i ^ i>>30) * 0xbf58476d1ce4e5b9
	i = (i ^ i>>27) * 0x94d049bb133111eb
	return i ^ i>>31
}

func main() {
	readers := flag.Uint64("c", 64, "readers")
	reads := flag.Uint64("n", 10000, "reads of all together")
	flag.Parse()
	if flag.NArg() != 1 || *readers == 0 {
		flag.Usage()
		os.Exit(2)
	}
	s := open(flag.Arg(0))
	each := (*reads + *readers - 1) / *readers
	sums := make([]uint64, *readers)
	begun := time.Now()
	var all sync.WaitGroup
	for r := uint64(0); r < *readers; r++ {
		all.Add(1)
		go func(r uint64) {
			var sum uint64
			for i := uint64(0); i < each; i++ {
				key := mix(r*each+i) % s.entries
				sum += order.Uint64(s.get(key))
			}
			sums[r] = sum
			all.Done()
		}(r)
	}
	all.Wait()
	took := time.Since(begun).Seconds()
	var sum uint64
	for _, v := range sums {
		sum += v
	}
	n := *readers * each
	fmt.Printf("sum %016x\n", sum)
	fmt.Printf("%d goroutines: %d reads, %.2f s, %.0f a second\n",
		*readers, n, took, float64(n)/took)
}
