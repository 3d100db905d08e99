# SPDX-License-Identifier: AGPL-3.0-or-later
# Cross build for arm64 against a Debian root of its own: cmake -DHM_SYSROOT=DIR
# --toolchain deploy/arm64.cmake. Tests run under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES HM_SYSROOT)
set(CMAKE_SYSROOT ${HM_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64;-L;${HM_SYSROOT}")
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${HM_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${HM_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${HM_SYSROOT}/usr/share/pkgconfig)
