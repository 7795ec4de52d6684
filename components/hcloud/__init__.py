"""The Hetzner sibling. No Attachment: its sites reach other regions over `wireguard` links. No Alarms: it has none."""

from components.hcloud.balancer import Balancer
from components.hcloud.foundation import Foundation
from components.hcloud.host import Machine
from services.boot import paths

__all__ = ["Balancer", "Foundation", "Machine", "paths"]
