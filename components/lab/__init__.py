"""The lab sibling: one Linux machine as the world."""

from components.lab.foundation import Foundation
from components.lab.host import Machine, paths
from components.lab.link import Link

__all__ = ["Foundation", "Link", "Machine", "paths"]
