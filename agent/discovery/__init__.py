"""Finding devices: sysfs and ``/dev`` as they stand, with what udev knows where udevd runs."""
