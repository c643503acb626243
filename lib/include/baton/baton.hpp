/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * baton.hpp - the library's interface for C++20: objects and lambdas;
 * coroutines if the compiler has them.
 *
 * All of it is inline and made of what <baton/baton.h> declares, whose
 * contracts hold; the page baton-cpp(7) has examples. Errors are exceptions,
 * std::system_error with the error number as its code. A cancel is one of them,
 * std::errc::operation_canceled: so it leaves each function on its way to the
 * fiber's own, with its objects destroyed, and needs no line of code there.
 * What is no error is no exception: the end of a channel is std::nullopt, a
 * lock that is not free is false. Where this says "throws", these are the
 * errors of the function of C that is named.
 *
 * REJECTED: an object that is a value or an error (std::expected is C++23's,
 * and each of our own would be one more of them); overloads with
 * std::error_code, which double every function, for what a caller of the C
 * function has already.
 */
#ifndef BATON_BATON_HPP
#define BATON_BATON_HPP

#include <baton/run.hpp>
#include <baton/fiber.hpp>
#include <baton/sync.hpp>
#include <baton/chan.hpp>
#ifdef __cpp_impl_coroutine
#include <baton/task.hpp>
#endif

#endif /* BATON_BATON_HPP */
