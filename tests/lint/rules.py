"""What may include what, what a core may not call, and the exceptions with their reasons."""

import re

# The whole top level; dot files are free.
TOP_LEVEL = {
    "CMakeLists.txt", "LICENSE", "README.md", "batch", "benchmarks", "daemons", "hwtopo", "librm",
    "netiso", "python", "tests",
    # CMake reads presets from this place and under this name only.
    "CMakePresets.json",
}

# Where a rule does not hold, and why. The lint reports an exception that is no longer needed.
EXCEPTIONS = {
    ("core-call", "librm/include/librm/base/check.hpp"):
        "a failed check prints its condition before it ends the process",
}

# Path pattern -> room; the first that matches counts.
ROOMS = [(re.compile(pattern), room) for pattern, room in [
    (r"librm/include/librm/librm\.hpp$", "umbrella"),
    (r"librm/include/librm/base/", "base"),
    (r"librm/include/librm/resource/", "resource"),
    (r"librm/include/librm/alloc/", "alloc"),
    (r"librm/include/librm/cluster/", "cluster"),
    (r"librm/src/core/", "umbrella"),
    # Driver and the interfaces it needs have no effects of their own; the simulator runs them too.
    (r"librm/include/librm/runtime/(driver|ports)\.hpp$", "ports"),
    (r"librm/include/librm/store/(journal|recovery)\.hpp$", "ports"),
    (r"librm/(include/librm/c\.h$|src/c/)", "c"),
    (r"librm/(include/librm|src)/wire/", "wire"),
    (r"librm/(include/librm|src)/store/", "store"),
    (r"librm/(include/librm|src)/runtime/", "runtime"),
    (r"librm/(include/librm|src)/sim/", "sim"),
    (r"librm/examples/", "examples"),
    (r"hwtopo/src/[^/]*(discover|bind|hwloc)", "hwtopo effects"),
    (r"hwtopo/(include|src)/", "hwtopo"),
    (r"netiso/src/[^/]*(observe|apply|netlink|stat)", "netiso effects"),
    (r"netiso/(include|src)/", "netiso"),
    (r"netiso/examples/", "netiso examples"),
    (r"batch/(include/batch|src)/edge/", "batch edge"),
    (r"batch/(include|src/core)/", "batch"),
    (r"batch/cli/", "cli"),
    (r"daemons/shepherd/", "shepherd"),
    (r"daemons/fetch/", "fetch"),
    (r"daemons/", "daemons"),
    (r"tests/", "tests"),
    (r"benchmarks/", "tests"),
    (r"python/", "python"),
]]

_CORE = {"base", "resource", "alloc", "cluster"}
_LIBRM = _CORE | {"umbrella", "wire", "c", "ports", "store", "runtime", "sim"}
_ALL = _LIBRM | {"hwtopo", "netiso", "batch", "batch edge", "cli", "daemons", "shepherd", "fetch",
                 "tests"}

# Room -> rooms that it may include, besides itself.
MAY_INCLUDE = {
    "base": set(),
    "resource": {"base"},
    "alloc": {"base", "resource"},
    "cluster": {"base", "resource", "alloc"},
    "umbrella": _CORE,
    "wire": _CORE,
    "c": _CORE | {"wire"},
    "ports": _CORE | {"wire"},
    "store": _CORE | {"wire", "ports"},
    "runtime": _CORE | {"wire", "ports", "store"},
    "sim": _CORE | {"wire", "ports"},
    "examples": _LIBRM,
    "hwtopo": _CORE,
    "hwtopo effects": _CORE | {"hwtopo"},
    "netiso": _CORE,
    "netiso effects": _CORE | {"netiso"},
    "netiso examples": _CORE | {"netiso"},
    "batch": _CORE,
    "batch edge": _CORE | {"wire", "batch"},
    "cli": _ALL - {"daemons", "shepherd", "fetch", "tests"},
    "shepherd": _CORE | {"wire"},
    "fetch": _CORE | {"shepherd"},
    "daemons": _ALL - {"cli", "fetch", "tests"},
    "tests": _ALL,
    "python": _ALL,
}

# Rooms that are pure: standard library, tl::expected, lower cores, and no effects.
CORES = _CORE | {"umbrella", "hwtopo", "netiso", "batch"}

# Library -> rooms whose files may include it. What is not listed here is free outside of cores.
LIBRARIES = [(name, re.compile(pattern), rooms) for name, pattern, rooms in [
    ("JSON", r"nlohmann/", {"batch edge", "cli", "daemons", "tests", "python"}),
    ("TOML", r"toml\+\+/|toml\.hpp", {"batch edge", "cli", "daemons", "tests"}),
    ("Asio", r"asio(/|\.hpp)", {"runtime", "examples", "cli", "daemons", "tests"}),
    ("Cereal", r"cereal/", {"wire", "store", "tests"}),
    ("SQLite", r"sqlite3\.h", {"store", "runtime", "tests"}),
    ("libpq", r"libpq-fe\.h", {"store", "tests"}),
    ("ZooKeeper's client", r"zookeeper/", {"runtime", "tests"}),
    ("hwloc", r"hwloc(/|\.h)", {"hwtopo effects", "tests"}),
    ("libnl", r"netlink/|linux/(rt)?netlink\.h", {"netiso effects", "tests"}),
    ("RESTinio", r"restinio/", {"daemons", "tests"}),
    ("http_parser", r"http_parser\.h", {"cli", "daemons", "tests"}),
    ("CLI11", r"CLI/", {"cli", "daemons", "tests"}),
    ("date", r"date/", {"batch edge", "tests"}),
    ("RE2", r"re2/", {"batch edge", "tests"}),
    ("spdlog", r"spdlog/", {"cli", "daemons", "tests"}),
    ("libcurl", r"curl/", {"fetch", "tests"}),
    ("libarchive", r"archive(_entry)?\.h", {"fetch", "tests"}),
    ("MPI", r"mpi\.h|pmix", {"tests"}),
    ("pybind11", r"pybind11/", {"python"}),
    ("a test framework", r"(gtest|gmock|benchmark)/", {"tests"}),
]]

# Standard headers that bring clocks, threads, chance or I/O.
CORE_HEADERS_FORBIDDEN = {
    "atomic", "condition_variable", "fstream", "filesystem", "future", "iostream", "mutex", "random",
    "semaphore", "shared_mutex", "thread", "ctime", "barrier", "latch", "stop_token",
}

# Applied to core sources without their comments and strings.
CORE_CALLS_FORBIDDEN = [(name, re.compile(pattern)) for name, pattern in [
    ("a clock", r"\bnow\s*\(|\b(system|steady|high_resolution)_clock\b|\bclock_gettime\b"
                r"|\bgettimeofday\b|\btime\s*\(\s*(nullptr|NULL|0|&)"),
    ("randomness of its own", r"\b(s?rand|rand_r|random|drand48|getrandom)\s*\(|\brandom_device\b"
                              r"|\bmt19937"),
    ("the environment", r"\b(secure_)?getenv\b"),
    ("a thread or a lock", r"\bstd::(j?thread|async|(recursive_|shared_|timed_)*mutex|lock_guard"
                           r"|unique_lock|scoped_lock|condition_variable|atomic)\b"
                           r"|\bpthread_\w+|\bthread_local\b"),
    ("output", r"\b(v?f?printf|puts|fputs|perror)\s*\(|\bstd::(cout|cerr|clog|cin)\b"),
    ("a file", r"\bstd::(i|o)?fstream\b|\bfopen\s*\(|\bstd::filesystem\b"),
]]

# A variable, not a function: the name is followed by = ; or { and no parenthesis comes before.
_DECLARATOR = r"[\w:<>,*&\[\]\s]+[\s*&>]\w+\s*(\[\w*\])?\s*(=[^=]|;|\{)"
STATIC_MUTABLE = [
    re.compile(r"^\s*(inline\s+)?static\s+(inline\s+)?"
               r"(?!.*\b(const|constexpr|static_assert)\b)" + _DECLARATOR),
    re.compile(r"^inline\s+(?!.*\b(const|constexpr|namespace)\b)" + _DECLARATOR),
]

FLOAT = re.compile(r"\b(float|double)\b")
FLOAT_FORBIDDEN_IN = {"resource", "alloc"}

LINES_WARN = 600
LINES_FAIL = 800

# Written so that this file does not match itself.
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w.}/$~-])/(wor" r"k|roo" r"t)/\w")
