"""gRPC on unix sockets, both ends, as much of it as a node agent needs: `server`, `client`, `protobuf`.

HTTP/2 itself is the library h2's. docs/dependencies.md says why this is not grpcio.
"""
