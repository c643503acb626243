/* SPDX-License-Identifier: GPL-2.0-only */
/* device.h - /dev/baton. */
#ifndef BATON_DEVICE_H
#define BATON_DEVICE_H

int baton_device_init(void);
void baton_device_uninit(void);

#endif /* BATON_DEVICE_H */
