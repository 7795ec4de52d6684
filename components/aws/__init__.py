"""The AWS sibling: a network a region, joined by transit gateways where a link of the venue asks for it."""

from components.aws.balancer import Balancer
from components.aws.foundation import Foundation
from components.aws.host import Machine, paths
from components.aws.link import Attachment
from components.aws.monitor import Alarms
from components.aws.steering import Steering

__all__ = ["Alarms", "Attachment", "Balancer", "Foundation", "Machine", "Steering", "paths"]
