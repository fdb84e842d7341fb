#!/usr/bin/env bash
# Makes an environment with the libraries that read our files: tests/readers/make.sh FOLDER [PYTHON]. Then the tests run
# with DENSEZERO_READERS=FOLDER. PYTHON is one with torch.
set -euo pipefail
folder=$1 python=${2:-python}
"$python" -m venv "$folder"
install=("$folder/bin/python" -m pip install --quiet --no-compile)
"${install[@]}" -r "$(dirname "$0")/requirements.txt"
# Ultralytics asks for gigabytes of torch. Without them it finds torch where PYTHON has it, at the end of its own path.
"${install[@]}" --no-deps "ultralytics>=8.4.190"
for packages in "$folder"/lib/python3*/site-packages; do
  "$python" -c "import site; print(*site.getsitepackages(), sep='\n')" > "$packages/torch.pth"
done
"${install[@]}" "fiftyone>=1.22" || echo "FiftyOne could not be installed; its tests are skipped"
