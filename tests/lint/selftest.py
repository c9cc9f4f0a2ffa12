#!/usr/bin/python3
"""Plants violations in a temporary tree and asserts that the lint finds each, and no other."""

import os
import sys
import tempfile

import lint
import rules

HEADER = "// A header that exists for one check.\n#pragma once\n"
SOURCE = "// A source that exists for one check.\n"
ALLOC = "librm/include/librm/alloc/planted.hpp"
BATCH = "batch/src/core/planted.cpp"
NOT_DONE = "TO" "DO"
ELSEWHERE = "/wor" "k/somewhere"

# (rule that must find it, path, content)
PLANTED = [
    # Layers.
    ("include", "librm/include/librm/base/planted.hpp",
     HEADER + '#include "librm/resource/resources.hpp"\n'),
    ("include", "librm/include/librm/resource/planted.hpp",
     HEADER + "#include <librm/alloc/share.hpp>\n"),
    ("include", ALLOC, HEADER + '#include "librm/cluster/master.hpp"\n'),
    ("include", "librm/include/librm/cluster/planted.hpp",
     HEADER + '#include "librm/wire/codec.hpp"\n'),
    ("include", "librm/src/wire/planted.cpp", SOURCE + '#include "librm/store/sqlite.hpp"\n'),
    ("include", "librm/src/store/planted.cpp", SOURCE + '#include "librm/runtime/asio.hpp"\n'),
    ("include", "librm/src/sim/planted.cpp", SOURCE + '#include "librm/runtime/asio.hpp"\n'),
    ("include", "librm/src/core/planted.cpp", SOURCE + '#include "librm/wire/codec.hpp"\n'),
    ("include", "librm/src/runtime/planted.cpp", SOURCE + '#include "batch/job.hpp"\n'),
    ("include", "librm/src/runtime/planted.cpp", SOURCE + '#include "hwtopo/plan.hpp"\n'),
    ("include", "librm/src/runtime/planted.cpp", SOURCE + '#include "netiso/plan.hpp"\n'),
    ("include", ALLOC, HEADER + '#include "../cluster/planted2.hpp"\n'),
    ("include", BATCH, SOURCE + '#include "librm/wire/codec.hpp"\n'),
    ("include", BATCH, SOURCE + '#include "batch/edge/job_file.hpp"\n'),
    ("include", "hwtopo/src/plan.cpp", SOURCE + '#include "batch/job.hpp"\n'),
    ("include", "daemons/shepherd/planted.cpp", SOURCE + '#include "librm/runtime/driver.hpp"\n'),
    # Libraries.
    ("include", ALLOC, HEADER + "#include <unistd.h>\n"),
    ("include", ALLOC, HEADER + "#include <fmt/core.h>\n"),
    ("include", ALLOC, HEADER + "#include <mutex>\n"),
    ("include", BATCH, SOURCE + "#include <nlohmann/json.hpp>\n"),
    ("include", "librm/src/runtime/planted.cpp", SOURCE + "#include <nlohmann/json.hpp>\n"),
    ("include", "librm/src/runtime/planted.cpp", SOURCE + "#include <toml++/toml.h>\n"),
    ("include", "librm/src/wire/planted.cpp", SOURCE + "#include <asio/io_context.hpp>\n"),
    ("include", "batch/src/edge/planted.cpp", SOURCE + "#include <asio.hpp>\n"),
    ("include", "daemons/agent/planted.cpp", SOURCE + "#include <hwloc.h>\n"),
    ("include", "hwtopo/src/plan.cpp", SOURCE + "#include <hwloc.h>\n"),
    ("include", "netiso/src/plan.cpp", SOURCE + "#include <netlink/netlink.h>\n"),
    ("include", "daemons/master/planted.cpp", SOURCE + "#include <sqlite3.h>\n"),
    ("include", "daemons/shepherd/planted.cpp", SOURCE + "#include <spdlog/spdlog.h>\n"),
    ("include", "daemons/shepherd/planted.cpp", SOURCE + "#include <asio/ip/tcp.hpp>\n"),
    # Calls.
    ("core-call", ALLOC, HEADER + "inline auto f() { return Clock::now(); }\n"),
    ("core-call", BATCH, SOURCE + "int f() { return rand(); }\n"),
    ("core-call", BATCH, SOURCE + "std::random_device seed;\n"),
    ("core-call", BATCH, SOURCE + 'auto f() { return std::getenv("RM_X"); }\n'),
    ("core-call", BATCH, SOURCE + "using C = std::chrono::system_clock;\n"),
    ("core-call", BATCH, SOURCE + "using C = std::chrono::steady_clock;\n"),
    ("core-call", BATCH, SOURCE + "void f() { std::thread t; }\n"),
    ("core-call", BATCH, SOURCE + "struct S { std::mutex m; };\n"),
    ("core-call", BATCH, SOURCE + 'void f() { std::printf("x"); }\n'),
    ("core-call", BATCH, SOURCE + 'void f() { std::cout << "x"; }\n'),
    ("core-call", "hwtopo/src/plan.cpp", SOURCE + "auto f() { return time(nullptr); }\n"),
    ("core-call", "netiso/src/plan.cpp", SOURCE + "thread_local int calls = 0;\n"),
    ("static", BATCH, SOURCE + "static int calls = 0;\n"),
    ("static", BATCH, SOURCE + "int f() {\n  static std::map<int, int> seen;\n  return 0;\n}\n"),
    ("static", ALLOC, HEADER + "inline std::vector<int> cache;\n"),
    ("float", ALLOC, HEADER + "struct S { double share; };\n"),
    ("float", "librm/include/librm/resource/planted.hpp", HEADER + "using F = float;\n"),
    # Habits.
    ("size", "daemons/master/planted.cpp", SOURCE + "int x;\n" * 800),
    ("size", "tests/system/planted.py", '"""A long test of a thing."""\n' + "x = 1\n" * 800),
    ("top-level", "notes/planted.md", "# Notes\n"),
    ("leftover", "daemons/master/planted.cpp", SOURCE + f"// {NOT_DONE}: later\n"),
    ("leftover", "README.md", f"# librm\n{NOT_DONE} later\n"),
    ("machine-path", "tests/system/planted.sh", f"# A test of one thing.\ncd {ELSEWHERE}\n"),
    ("opening", "daemons/master/planted.cpp", "#include <vector>\n"),
    ("opening", "daemons/master/planted.cpp", "// x\n#include <vector>\n"),
    ("opening", "tests/system/planted.py", "import os\n"),
    ("opening", "tests/system/planted.sh", "#!/bin/bash\nset -e\n"),
    ("opening", "batch/CMakeLists.txt", "project(x)\n"),
    ("pragma-once", ALLOC, "// A header without its guard.\nint f();\n"),
    ("whitespace", "daemons/master/planted.cpp", SOURCE + "int x; \n"),
    ("whitespace", "daemons/master/planted.cpp", SOURCE + "int x;"),
    ("room", "librm/planted.cpp", SOURCE),
    ("exception", "librm/include/librm/base/check.hpp", HEADER),
]

# What looks like a violation and is none: a lint that cries wolf is switched off.
CLEAN = [
    (ALLOC, HEADER + "#include <map>\n#include <tl/expected.hpp>\n"
                     '#include "librm/alloc/share.hpp"\n#include "librm/base/time.hpp"\n'),
    (ALLOC, HEADER + "struct S { static S make(int a); static constexpr int limit = 3; };\n"
                     "inline constexpr int size_max = 4;\ninline int f(int a) { return a; }\n"
                     "// printf(, double and std::mutex in a comment are prose.\n"
                     'inline const char* g() { return "double now()"; }\n'
                     "inline int h(Now now) { return now.mono.ns > 1'000'000 ? 1 : 0; }\n"
                     "static int k(int a) { return a; }\n"),
    (BATCH, SOURCE + '#include "batch/job.hpp"\n#include "librm/cluster/master.hpp"\n'
                     "#include <chrono>\nvoid f() { std::snprintf(buffer, 4, \"x\"); }\n"),
    ("batch/src/edge/planted.cpp", SOURCE + "#include <nlohmann/json.hpp>\n#include <ctime>\n"),
    ("librm/src/sim/planted.cpp", SOURCE + '#include "librm/runtime/driver.hpp"\n'),
    ("daemons/agent/planted.cpp", SOURCE + "#include <asio/ip/tcp.hpp>\n#include <unistd.h>\n"
                                           '#include "hwtopo/plan.hpp"\n'),
    ("hwtopo/src/discover.cpp", SOURCE + "#include <hwloc.h>\nstatic int depth = 0;\n"),
    ("librm/include/librm/base/check.hpp", HEADER + 'inline void f() { std::printf("x"); }\n'),
]


def findings_in(path, content):
    with tempfile.TemporaryDirectory() as root:
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full) or root, exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(content)
        if "planted2.hpp" in content:
            other = os.path.join(root, "librm/include/librm/cluster/planted2.hpp")
            os.makedirs(os.path.dirname(other), exist_ok=True)
            with open(other, "w", encoding="utf-8") as file:
                file.write(HEADER)
        return lint.check_tree(root)[0]


def main():
    failed = 0
    for rule, path, content in PLANTED:
        found = {finding.rule for finding in findings_in(path, content)}
        if found != {rule}:
            failed += 1
            print(f"planted [{rule}] in {path}, found {sorted(found)}:\n{content[:200]}")
    for path, content in CLEAN:
        for finding in findings_in(path, content):
            failed += 1
            print(f"clean, yet found: {finding}")
    unmatched = set(rules.MAY_INCLUDE) ^ {room for _, room in rules.ROOMS}
    if unmatched:
        failed += 1
        print(f"rooms without rules, or rules without rooms: {sorted(unmatched)}")
    print(f"lint selftest: {len(PLANTED)} planted, {len(CLEAN)} clean, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
