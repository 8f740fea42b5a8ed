"""Certificates: fresh samples until an anytime-valid bound decides, and a file that anyone can check."""

from lem_safe.certificates.certificate import Certificate
from lem_safe.certificates.verify import verify

__all__ = ["Certificate", "verify"]
