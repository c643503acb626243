-- SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
-- ghc.hs - the rows of tools/peers for GHC.
{-# LANGUAGE ForeignFunctionInterface #-}
module Main (main) where

import Control.Concurrent
import Control.Exception (SomeException, bracket, try)
import Control.Monad
import qualified Data.ByteString as B
import Data.IORef
import Foreign.Ptr
import GHC.Clock (getMonotonicTimeNSec)
import Network.Socket
import Network.Socket.ByteString (recv, sendAll)
import System.Environment
import System.Exit
import Text.Printf

foreign import ccall safe "peer_empty" c_empty :: IO ()
foreign import ccall safe "peer_call_back" c_callBack :: FunPtr (IO ()) -> Int -> IO ()
foreign import ccall safe "peer_from_thread" c_fromThread :: FunPtr (IO ()) -> Int -> IO ()
foreign import ccall "wrapper" wrap :: IO () -> IO (FunPtr (IO ()))

fork :: IO a -> IO (MVar a)
fork act = do
  v <- newEmptyMVar
  _ <- forkIO (act >>= putMVar v)
  return v

yields, spawns, batch, chan, skynet, mutex, call, callback, foreignThread :: Int -> IO ()
yields n = do
  other <- fork (replicateM_ n yield)
  replicateM_ n yield
  takeMVar other

spawns n = forM_ [1 .. n] $ \i -> do
  r <- fork (return i) >>= takeMVar
  when (r /= i) $ error "wrong result"

batch n = replicateM_ n $
  mapM (fork . return) [1 .. 10000 :: Int] >>= mapM_ takeMVar

-- An MVar is what comes nearest to a channel without capacity.
chan n = do
  to <- newEmptyMVar
  from <- newEmptyMVar
  other <- fork (replicateM_ n (takeMVar to >>= putMVar from))
  forM_ [1 .. n] $ \i -> do
    putMVar to i
    r <- takeMVar from
    when (r /= i) $ error "wrong element"
  takeMVar other

node :: Int -> Int -> IO Int
node first 1 = return first
node first n = do
  let part = n `div` 10
  parts <- forM [0 .. 9] $ \i -> fork (node (first + i * part) part)
  s <- newIORef 0
  forM_ parts $ \p -> takeMVar p >>= \x -> modifyIORef' s (+ x)
  readIORef s

skynet n = replicateM_ n $ do
  s <- node 0 1000000
  when (s /= 499999500000) $ error "wrong sum"

mutex n = do
  lock <- newMVar ()
  inside <- newIORef (0 :: Int)
  takeMVar lock
  ts <- replicateM 4 $ fork $ replicateM_ n $
    withMVar lock $ \_ -> modifyIORef' inside (+ 1)
  yield
  putMVar lock ()
  mapM_ takeMVar ts
  k <- readIORef inside
  when (k /= 4 * n) $ error "not exclusive"

call n = replicateM_ n c_empty

callback n = bracket (wrap (return ())) freeHaskellFunPtr (`c_callBack` n)

foreignThread n = bracket (wrap (return ())) freeHaskellFunPtr (`c_fromThread` n)

serve :: String -> IO ()
serve port = do
  l <- socket AF_INET Stream defaultProtocol
  setSocketOption l ReuseAddr 1
  bind l (SockAddrInet (fromIntegral (read port :: Int)) (tupleToHostAddress (127, 0, 0, 1)))
  listen l 4096
  forever $ do
    (s, _) <- accept l
    forkIO $ do
      _ <- try (echo s) :: IO (Either SomeException ())
      close s
  where
    echo s = do
      b <- recv s 4096
      unless (B.null b) $ sendAll s b >> echo s

time :: (Int -> IO ()) -> Int -> IO Int
time body n = do
  start <- getMonotonicTimeNSec
  body n
  end <- getMonotonicTimeNSec
  return (fromIntegral (end - start))

measure :: (Int -> IO ()) -> Int -> Int -> IO ()
measure body workers per = do
  setNumCapabilities workers
  -- The main thread is bound: each of its switches would be one of threads.
  runInUnboundThread (go 1 False)
  where
    go :: Int -> Bool -> IO ()
    go n again = do
      ns <- time body n
      if ns < 100000000
        then go (if ns < 10000000 then n * 10 else n * 2) False
        else if not again then go n True
        else printf "%.2f\n" (fromIntegral ns / fromIntegral (n * per) :: Double)

main :: IO ()
main = do
  args <- getArgs
  case args of
    ["echo", port] -> setNumCapabilities 1 >> runInUnboundThread (serve port)
    ["yield"] -> measure yields 1 2
    ["spawn"] -> measure spawns 1 1
    ["batch"] -> measure batch 1 10000
    ["chan1"] -> measure chan 1 1
    ["chan2"] -> measure chan 2 1
    ["skynet1"] -> measure skynet 1 1000000
    ["skynet2"] -> measure skynet 2 1000000
    ["mutex"] -> measure mutex 1 4
    ["call"] -> measure call 1 1
    ["callback"] -> measure callback 1 1
    ["foreign"] -> measure foreignThread 1 1
    _ -> exitWith (ExitFailure 3)
