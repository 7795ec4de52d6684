"""The sibling for Google Cloud: a network that spans all regions of a project, and what stands in it."""

from components.gcp.balancer import Balancer
from components.gcp.foundation import Foundation
from components.gcp.host import Machine, paths
from components.gcp.link import Attachment
from components.gcp.monitor import Alarms

__all__ = ["Alarms", "Attachment", "Balancer", "Foundation", "Machine", "paths"]
