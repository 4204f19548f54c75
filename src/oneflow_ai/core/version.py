"""The version of this OneFlow, in one place."""

VERSION = "0.1.0"
