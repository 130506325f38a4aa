"""What `timeball diag` looks at, part by part."""

from timeball.station.reporting.checks import host, ledger, public, serving, timekeeping, watching
from timeball.station.reporting.diag import Checks

CHECKS: dict[str, Checks] = {
    "time": timekeeping.served,
    "lease": timekeeping.leases,
    "bound": timekeeping.bound,
    "page": timekeeping.page_age,
    "clocks": timekeeping.clocks,
    "output": timekeeping.output,
    "leap table": timekeeping.leap_table,
    "ledger": ledger.growth,
    "recorder": ledger.recorder,
    "disk": ledger.disk,
    "witnesses": ledger.witnesses,
    "host clock": host.clock,
    "processes": host.processes,
    "restarts": host.restarts,
    "cpu": host.cpu,
    "server": serving.counters,
    "receive stamps": serving.stamps,
    "socket drops": serving.drops,
    "limiter": serving.limiter,
    "key exchange": public.exchange,
    "roughtime": public.roughtime,
    "watchdog": watching.watchdog,
    "outputs": public.outputs,
}
"""By the name of the first check that each makes."""
