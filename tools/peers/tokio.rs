// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// tokio.rs - the rows of tools/peers for Tokio.
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, Mutex};
use tokio::task;

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

fn yields(n: u64) -> Body {
    Box::pin(async move {
        let other = tokio::spawn(async move {
            for _ in 0..n {
                task::yield_now().await;
            }
        });
        for _ in 0..n {
            task::yield_now().await;
        }
        other.await.unwrap();
    })
}

fn spawn_join(n: u64) -> Body {
    Box::pin(async move {
        for i in 0..n {
            assert_eq!(tokio::spawn(async move { i }).await.unwrap(), i);
        }
    })
}

fn batch(n: u64) -> Body {
    Box::pin(async move {
        let mut tasks = Vec::with_capacity(10000);
        for _ in 0..n {
            for i in 0..10000u64 {
                tasks.push(tokio::spawn(async move { i }));
            }
            for t in tasks.drain(..) {
                t.await.unwrap();
            }
        }
    })
}

// Tokio has no channel without capacity: one element is the least.
fn chan(n: u64) -> Body {
    Box::pin(async move {
        let (to, mut there) = mpsc::channel::<u64>(1);
        let (back, mut from) = mpsc::channel::<u64>(1);
        let other = tokio::spawn(async move {
            while let Some(v) = there.recv().await {
                back.send(v).await.unwrap();
            }
        });
        for i in 0..n {
            to.send(i).await.unwrap();
            assert_eq!(from.recv().await, Some(i));
        }
        drop(to);
        other.await.unwrap();
    })
}

fn node(first: u64, n: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n == 1 {
            return first;
        }
        let part = n / 10;
        let tasks: Vec<_> = (0..10)
            .map(|i| tokio::spawn(node(first + i * part, part)))
            .collect();
        let mut sum = 0;
        for t in tasks {
            sum += t.await.unwrap();
        }
        sum
    })
}

fn skynet(n: u64) -> Body {
    Box::pin(async move {
        for _ in 0..n {
            assert_eq!(node(0, 1000000).await, 499999500000);
        }
    })
}

fn mutex(n: u64) -> Body {
    Box::pin(async move {
        let lock = Arc::new(Mutex::new(0u64));
        let held = lock.clone().lock_owned().await;
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let lock = lock.clone();
                tokio::spawn(async move {
                    for _ in 0..n {
                        *lock.lock().await += 1;
                    }
                })
            })
            .collect();
        task::yield_now().await;
        drop(held);
        for t in tasks {
            t.await.unwrap();
        }
        assert_eq!(*lock.lock().await, 4 * n);
    })
}

#[inline(never)]
fn empty() {}

// What Tokio has for foreign code that may block
fn call(n: u64) -> Body {
    Box::pin(async move {
        for _ in 0..n {
            task::spawn_blocking(empty).await.unwrap();
        }
    })
}

async fn serve(port: u16) {
    let l = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    loop {
        let (mut s, _) = l.accept().await.unwrap();
        s.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let mut buf = [0u8; 4096];
            while let Ok(n) = s.read(&mut buf).await {
                if n == 0 || s.write_all(&buf[..n]).await.is_err() {
                    break;
                }
            }
        });
    }
}

fn measure(rt: &tokio::runtime::Runtime, body: fn(u64) -> Body, per: u64) {
    let time = |n: u64| {
        let start = Instant::now();
        rt.block_on(async { tokio::spawn(body(n)).await.unwrap() });
        start.elapsed().as_nanos() as u64
    };
    let (mut n, mut ns, mut again) = (1, 0, 0);
    while again < 2 {
        ns = time(n);
        if ns >= 100_000_000 {
            again += 1;
        } else {
            again = 0;
            n *= if ns < 10_000_000 { 10 } else { 2 };
        }
    }
    println!("{:.2}", ns as f64 / (n * per) as f64);
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (body, workers, per): (fn(u64) -> Body, usize, u64) = match args[1].as_str() {
        "yield" => (yields, 1, 2),
        "spawn" => (spawn_join, 1, 1),
        "batch" => (batch, 1, 10000),
        "chan1" => (chan, 1, 1),
        "chan2" => (chan, 2, 1),
        "skynet1" => (skynet, 1, 1000000),
        "skynet2" => (skynet, 2, 1000000),
        "mutex" => (mutex, 1, 4),
        "call" => (call, 1, 1),
        "echo" => (yields, 1, 1),
        _ => std::process::exit(3),
    };
    let rt = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap();
    if args[1] == "echo" {
        let port = args[2].parse().unwrap();
        rt.block_on(async { tokio::spawn(serve(port)).await.unwrap() });
    }
    measure(&rt, body, per);
}
