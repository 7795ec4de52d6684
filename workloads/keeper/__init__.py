"""The keeper of a store's member: takes its backups, tells how its archive is, and keeps etcd's leader off the primary.

settings    what one process is told
backups     when a backup is due, and taking it
archive     how long the log has waited to be archived
leaders     who leads etcd, and giving that over
"""
