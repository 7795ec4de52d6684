"""One Linux machine as the world: the provider behind the lab stacks.

A lab is one process tree in private namespaces whose pid 1 is a supervisor: killing it ends every process,
namespace, mount and address of the lab at once. Modules, in the order a run meets them:

    inputs      what may be asked for: typed inputs of each resource
    provider    the Pulumi provider: check, diff, create, read, update, delete
    world       starts, finds and ends a lab          (boot: what its pid 1 does first)
    host        a network namespace, its LAN, firewall, settings and disk
    wire        a link between two hosts              (relay: the userspace wire)
    service     a supervised process                  (await_ready: asks until it answers)
    keys        CometBFT's keys on a host
    control     what a person or a drill does to a running lab
    selftest    compares configured wires with observed ones
"""
