"""Several hosts on one machine, with what each of them receives, sends, computes and writes.

As root each host has network, processes and ``/srv`` of its own (``namespaces``); without, hosts are addresses on loopback
(``loopback``), and what that leaves out is told in the labels of every table.
"""

from bench.rig.rig import Rig, Wishes

__all__ = ["Rig", "Wishes"]
