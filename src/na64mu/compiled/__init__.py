"""Compiled code: the forms of kernels, named tuples by address, and a cache that belongs to the content of the sources.

Everything of the package that touches numba is in this folder; the other modules take their decorators from
`na64mu.compiled.kernel`.

kernel.py
    The decorators, one for each way in which a function is compiled.
reference.py, state.py, intrinsics.py
    Named tuples and streams of random numbers that kernels hand on by address, and single instructions.
folder.py, cache.py
    Where compiled kernels are kept, and how one is written and read.
sources.py, contents.py
    What a compiled kernel belongs to: the files that it can reach, and the values and functions that it really uses.
symbols.py
    Names of compiled functions that no two processes give twice.
written.py
    Modules whose source is written by the program.
plain.py
    Kernels as plain Python, with NUMBA_DISABLE_JIT=1.
internals.py
    The private parts of numba that all these need, and the versions of numba with which they were tried.
"""
