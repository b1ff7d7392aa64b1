#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs the built libraries into a temporary prefix and builds examples/quick.c against what lies there.

Usage: consume.py CMAKE BUILD SOURCE CC

{pkg-config, find_package} x {static, shared}: each consumer is built outside the source tree, sees nothing of it, runs,
and is asked which libraries it needs. The installed tree is moved once before use: it must not know where it was made.
And a program that runs already opens the shared library: its thread-locals find room then, too (base/thread.h).
"""
import os
import shutil
import subprocess
import sys
import tempfile

EXPECTED = "hello, and a write is refused"
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(vmmap 0.1 REQUIRED)
add_executable(quick quick.c)
target_link_libraries(quick PRIVATE vmmap::{target})
"""


def run(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def judge(name, program, libdir, shared):
    env = dict(os.environ)
    if shared:
        env["LD_LIBRARY_PATH"] = libdir
    output = run([program], env=env)
    needed = "libvmmap.so" in run(["readelf", "-d", program])
    if EXPECTED not in output or needed != shared:
        raise SystemExit(f"{name}: needs libvmmap.so: {needed}; printed\n{output}")
    print(f"{name}: good")


def with_pkg_config(cc, tree, libdir, work):
    env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(libdir, "pkgconfig"))
    for static in (True, False):
        flags = run(["pkg-config", "--cflags", "--libs"] + ["--static"] * static + ["vmmap"], env=env).split()
        if static:                      # both libraries lie there: name the archive
            flags = ["-l:libvmmap.a" if flag == "-lvmmap" else flag for flag in flags]
        program = os.path.join(work, f"quick-pc-{static}")
        run([cc, "-Wall", "-Werror", "-o", program, os.path.join(work, "quick.c")] + flags)
        judge(f"pkg-config, {'static' if static else 'shared'}", program, libdir, not static)
    if "/" + os.path.basename(tree) + "/" not in run(["pkg-config", "--cflags", "vmmap"], env=env) + "/":
        raise SystemExit("vmmap.pc does not follow its tree")


def with_find_package(cmake, cc, tree, libdir, work):
    for target in ("vmmap_static", "vmmap"):
        project = os.path.join(work, target)
        os.makedirs(project)
        shutil.copy(os.path.join(work, "quick.c"), project)
        with open(os.path.join(project, "CMakeLists.txt"), "w", encoding="utf-8") as file:
            file.write(PROJECT.format(target=target))
        run([cmake, "-S", project, "-B", project + "/build", f"-DCMAKE_PREFIX_PATH={tree}",
             f"-DCMAKE_C_COMPILER={cc}"])
        run([cmake, "--build", project + "/build"])
        judge(f"find_package, {target}", project + "/build/quick", libdir, target == "vmmap")


def opened_late(libdir):
    call = "import ctypes, sys; sys.exit(ctypes.CDLL(sys.argv[1]).physmem_create(None, None) != -22)"
    run([sys.executable, "-c", call, os.path.join(libdir, "libvmmap.so")])
    print("opened by a program that runs: good")


def main():
    cmake, build, source, cc = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        run([cmake, "--install", build, "--prefix", os.path.join(work, "made")])
        tree = os.path.join(work, "moved")
        shutil.move(os.path.join(work, "made"), tree)
        libdir = next(where for where, _dirs, names in os.walk(tree) if "libvmmap.a" in names)
        shutil.copy(os.path.join(source, "examples", "quick.c"), work)
        with_pkg_config(cc, tree, libdir, work)
        with_find_package(cmake, cc, tree, libdir, work)
        opened_late(libdir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
