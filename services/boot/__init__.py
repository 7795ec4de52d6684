"""What a cloud's host does when it boots, as cloud-init's user data: strings in, strings out.

    user_data(plan, host, services, known=…, endpoints=…)   the boot script of a host: `#cloud-config` text
    paths(host)                                             where its services keep things
    compressed(text, bytes_max)                             the same in fewer bytes, for AWS and Hetzner
    startup_script()                                        what brings cloud-init to Google's Debian images

    document.py    user data, put together
    variables.py   what the scripts must know of their host, its release among it
    units.py       one systemd unit a service, within limits; the steps of a boot
    firewall.py    the packet filter of a cloud's host
    places.py      what differs between the providers

The scripts of a boot are files of `services/templates/boot`, the same for every host: each does one thing, does nothing
where it is done already, and is tried again until it succeeds.
"""

from services.boot.document import compressed, paths, startup_script, user_data

__all__ = ["compressed", "paths", "startup_script", "user_data"]
