"""The version of mm-soap, read by the build and by `mm-soap --version`."""

__version__ = "0.1.0"
