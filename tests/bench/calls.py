"""Calls of Allocate on one connection, from a process of its own: ``python -m tests.bench.calls SOCKET ID COUNT``.

Prints the time of each in microseconds, as a JSON array.
"""

from __future__ import annotations

import json
import sys
import time

import grpc

from tests.kubelet.pb import deviceplugin_pb2 as pb

_WARMING = 500


def main() -> None:
    path, id_, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with grpc.insecure_channel(f"unix:{path}", options=[("grpc.default_authority", "localhost")]) as channel:
        allocate: grpc.UnaryUnaryMultiCallable[pb.AllocateRequest, pb.AllocateResponse] = channel.unary_unary(
            "/v1beta1.DevicePlugin/Allocate",
            request_serializer=pb.AllocateRequest.SerializeToString,
            response_deserializer=pb.AllocateResponse.FromString,
        )
        request = pb.AllocateRequest(container_requests=[pb.ContainerAllocateRequest(devices_ids=[id_])])
        values = []
        for _ in range(_WARMING + count):
            start = time.perf_counter()
            allocate(request)
            values.append(1e6 * (time.perf_counter() - start))
    json.dump(values[_WARMING:], sys.stdout)


if __name__ == "__main__":
    main()
