"""What a cloud's host does when it boots, as cloud-init's user data: strings in, strings out.

    user_data(plan, host, services, known=…, endpoints=…)   the boot script of a host: `#cloud-config` text
    paths(host)                                             where its services keep things
    compressed(text, bytes_max)                             the same in fewer bytes, for AWS and Hetzner

One set of files serves every provider; what differs between them is in `places.py`.
"""

from services.boot.document import compressed, paths, user_data

__all__ = ["compressed", "paths", "user_data"]
