// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* jni.c - the C side of Jni.java. */
#include <jni.h>
#include <pthread.h>

JNIEXPORT void JNICALL Java_Jni_empty(JNIEnv *env, jclass class);
JNIEXPORT void JNICALL Java_Jni_callBack(JNIEnv *env, jclass class, jlong n);
JNIEXPORT void JNICALL Java_Jni_fromThread(JNIEnv *env, jclass class, jlong n);

struct calls {
	JavaVM *vm;
	jclass class;
	jmethodID back;
	jlong n;
};

void Java_Jni_empty(JNIEnv *env, jclass class)
{
	(void)env;
	(void)class;
}

static void call_back(JNIEnv *env, const struct calls *c)
{
	for (jlong i = 0; i < c->n; i++)
		(*env)->CallStaticVoidMethod(env, c->class, c->back);
}

void Java_Jni_callBack(JNIEnv *env, jclass class, jlong n)
{
	struct calls c = { .class = class, .n = n };

	c.back = (*env)->GetStaticMethodID(env, class, "back", "()V");
	call_back(env, &c);
}

/* It stays attached while it calls. */
static void *thread(void *arg)
{
	struct calls *c = arg;
	JNIEnv *env;

	if ((*c->vm)->AttachCurrentThread(c->vm, (void **)&env, NULL))
		return NULL;
	call_back(env, c);
	(*c->vm)->DetachCurrentThread(c->vm);
	return NULL;
}

void Java_Jni_fromThread(JNIEnv *env, jclass class, jlong n)
{
	struct calls c = { .n = n };
	pthread_t t;

	(*env)->GetJavaVM(env, &c.vm);
	c.class = (*env)->NewGlobalRef(env, class);
	c.back = (*env)->GetStaticMethodID(env, class, "back", "()V");
	if (!pthread_create(&t, NULL, thread, &c))
		pthread_join(t, NULL);
	(*env)->DeleteGlobalRef(env, c.class);
}
