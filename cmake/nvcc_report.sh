#!/bin/sh
# nvcc_report.sh REPORT COMMAND...: runs nvcc and keeps what ptxas says of registers and spills in
# REPORT (read by bench/kernels); where the command fails, shows it.
report=$1
shift
"$@" 2>"$report" && exit 0
status=$?
cat "$report" >&2
exit $status
