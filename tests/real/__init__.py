"""Real containerd, podman, udevd and kernel devices for tests, and nothing of them left afterwards.

`python -m tests.real.provision` fetches what is not there (`make test` calls it). A test that stands on real parts
is marked `real` (or `root`, if kernel devices are all it needs) and asks the plugin's fixtures for them:

    @pytest.mark.real
    def test_modem(start_containerd, start_udevd, kernel, tmp_path):
        udevd = start_udevd('KERNEL=="zram*", ENV{ID_SERIAL_SHORT}="1234"')
        disk = kernel.zram()
        daemon = start_containerd("2", spec_dirs=[tmp_path])
        ...
        result = daemon.run(devices=["acme.com/disk=1234"], command=["sh", "-c", f"[ -b {disk.node} ]"])
        assert result.exit_code == 0

Where a part is missing the test is skipped, loudly, and with CI=true it fails: see `plugin`. Outside pytest the same
parts are context managers: `containerd.Containerd`, `udev.Udevd`, `devices.kernel()`, `podman.run()`.
"""
