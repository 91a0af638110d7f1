/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/**
 * kvmr_dbus_error_register: from now on a #KvmrError that is returned over D-Bus has its own name,
 * org.freedesktop.NetworkManager.KvmRouted.Error.Invalid and so on.
 */
void kvmr_dbus_error_register(void);
