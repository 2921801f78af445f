#!/bin/sh
# Generates the Python files from the .proto files. A protobuf runtime reads what it or an older version generated.
set -eu
cd "$(dirname "$0")/../../.."
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet 'grpcio-tools>=1.70,<1.72' setuptools
"$venv/bin/python" -m grpc_tools.protoc -I. --python_out=. --pyi_out=. tests/kubelet/pb/*.proto
# The generated types are for reading by mypy, not for judging.
sed -i '1i # mypy: ignore-errors' tests/kubelet/pb/*_pb2.pyi
