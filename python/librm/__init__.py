"""Submit jobs to an rm-master and follow them, from Python's standard library alone.

    import librm
    cluster = librm.connect()                       # RM_MASTER, else http://127.0.0.1:5050
    job = cluster.submit("sleep 1; echo done", cpus=1, mem="256M")
    job.wait(timeout=60).state                      # 'finished'
    print(job.logs())

Keyword arguments are the fields of a job in the HTTP interface, which are the flags of rmctl.

`LocalCluster` and `schedule` need the native module, `librm.plots` matplotlib, `Table.to_dataframe`
pandas; everything else works without them.
"""

from . import schedule
from .client import Cluster, Job, Jobs, LibrmError, connect
from .job_file import read_job_file
from .local import LocalCluster
from .tables import Table, Why

__all__ = ["Cluster", "Job", "Jobs", "LibrmError", "LocalCluster", "Table", "Why", "connect",
           "read_job_file", "schedule"]
__version__ = "0.1.0"
