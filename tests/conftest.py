"""What all tests share: the fixtures of real parts, and the line that tells which tests did not run."""

pytest_plugins = ["tests.real.plugin"]
