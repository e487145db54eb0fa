#!/usr/bin/env bash
# What the action runs: attnviz snapshot check, with its report on the summary of the job. Ends with the check's own exit code.
#     packaging/check.sh SUITE OUT REPORT
set -uo pipefail
attnviz snapshot check "$1" --out "$2" --report "$3"
code=$?
if [ "$code" = 0 ] || [ "$code" = 3 ]; then # anything else has compared nothing
  cat "$3/report.md" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
fi
exit "$code"
