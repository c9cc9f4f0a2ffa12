#!/usr/bin/python3
"""Fails where a public header pulls in what its users should not pay for: includes.py CXX INCLUDE_DIR.

Time is not measured here: it differs between machines, what is included does not.
"""

import re
import subprocess
import sys
import tempfile

# Standard headers that each cost a tenth of a second or more, or bring effects into a core.
HEAVY = {"chrono", "condition_variable", "filesystem", "fstream", "future", "iomanip", "iostream",
         "mutex", "random", "ranges", "regex", "sstream", "thread"}
# Bodies of what is compiled, and rooms that need other libraries.
ROOMS = re.compile(r"librm/(\w+/impl|wire|store|runtime|sim)/|/(asio|cereal)/|/sqlite3\.h")

# What its users write -> patterns of paths below that they accept nevertheless.
HEADERS = {
    "librm/librm.hpp": None,
    "librm/alloc/allocator.hpp": None,
    "librm/cluster/framework.hpp": None,
    "librm/c.h": None,
    "librm/wire/message.hpp": re.compile(r"librm/wire/[a-z_]+\.hpp$"),
}


def included_by(compiler, include_dir, header):
    """The paths of all files that the header includes, itself among them."""
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write(f'#include "{header}"\n')
        source.flush()
        ran = subprocess.run([compiler, "-std=c++20", "-E", "-H", "-I" + include_dir,
                              "-o", "/dev/null", source.name],
                             check=True, capture_output=True, text=True)
    return re.findall(r"^\.+ (.+)$", ran.stderr, re.MULTILINE)


def main():
    compiler, include_dir = sys.argv[1:]
    wrong = []
    for header, accepted in HEADERS.items():
        paths = included_by(compiler, include_dir, header)
        if not any(path.endswith(header) for path in paths):
            wrong.append(f"{header}: the compiler did not say what it includes")
        for path in sorted(set(paths)):
            heavy = path.rsplit("/", 1)[-1] in HEAVY and "/bits/" not in path
            if heavy or (ROOMS.search(path) and not (accepted and accepted.search(path))):
                wrong.append(f"{header}: includes {path}")
        print(f"{header}: {len(set(paths))} files")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
