// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// Jni.java - the rows of tools/peers for Java's native methods.
public class Jni {
	static native void empty();
	static native void callBack(long n);
	static native void fromThread(long n);

	static void back() {
	}

	static void rounds(String row, long n) {
		switch (row) {
		case "call":
			while (n-- > 0)
				empty();
			break;
		case "callback":
			callBack(n);
			break;
		case "foreign":
			fromThread(n);
			break;
		default:
			System.exit(3);
		}
	}

	static long time(String row, long n) {
		long start = System.nanoTime();

		rounds(row, n);
		return System.nanoTime() - start;
	}

	public static void main(String[] args) {
		long n = 1, ns = 0;
		int again = 0;

		System.load(args[0]);
		while (again < 2) {
			ns = time(args[1], n);
			if (ns >= 100000000) {
				again++;
			} else {
				again = 0;
				n *= ns < 10000000 ? 10 : 2;
			}
		}
		System.out.printf("%.2f%n", (double)ns / n);
	}
}
