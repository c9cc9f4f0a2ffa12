// Compiles the bodies of cluster once for those who link the library.
#include "librm/cluster/impl/agent.ipp"
#include "librm/cluster/impl/executor.ipp"
#include "librm/cluster/impl/framework.ipp"
#include "librm/cluster/impl/maintenance.ipp"
#include "librm/cluster/impl/master.ipp"
#include "librm/cluster/impl/task.ipp"
