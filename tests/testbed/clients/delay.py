"""Holds packets back for a while and then lets them go: what the kernel's own emulation does where it is built in.

    delay.py QUEUE SECONDS [QUEUE SECONDS]...

The kernel asks for a verdict on each packet that a rule sends to a queue; this answers "accept", later. Packets of a queue
keep their order. When this ends, the queue has no listener, and the kernel drops what is sent to it.
"""

import heapq
import select
import socket
import struct
import sys
import time

NETFILTER = 12
QUEUE_SUBSYSTEM = 3 << 8
PACKET, VERDICT, CONFIG = (QUEUE_SUBSYSTEM | message for message in (0, 1, 2))
REQUEST, ACK = 1, 4
ERROR = 2
HEADER = 1  # of a packet; its first four bytes are its number
VERDICT_HEADER = 2
ACCEPT = 1
BIND, COMMAND, PARAMETERS, LONGEST = 1, 1, 2, 3
META = 1  # the packet's content is not needed here


def attribute(kind, content):
    padding = -len(content) % 4
    return struct.pack("=HH", 4 + len(content), kind) + content + bytes(padding)


def message(kind, flags, queue, attributes):
    body = struct.pack("=BB", socket.AF_UNSPEC, 0) + struct.pack(">H", queue) + attributes
    return struct.pack("=LHHLL", 16 + len(body), kind, flags, 0, 0) + body


def messages(data):
    while len(data) >= 16:
        length, kind, _, _, _ = struct.unpack_from("=LHHLL", data)
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


def configure(netlink, queue, attributes):
    netlink.send(message(CONFIG, REQUEST | ACK, queue, attributes))
    for kind, body in messages(netlink.recv(65536)):
        (error,) = struct.unpack_from("=i", body) if kind == ERROR else (0,)
        if error:
            raise OSError(-error, f"the kernel refused queue {queue}")


def number(body):
    """The number of a packet, which is in its header."""
    attributes = body[4:]
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind & 0x3FFF == HEADER:
            return struct.unpack_from(">L", attributes, 4)[0]
        attributes = attributes[(length + 3) & ~3 :]
    raise ValueError("a packet without a header")


def main(arguments):
    delays = dict(zip(map(int, arguments[0::2]), map(float, arguments[1::2])))
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
    netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    netlink.bind((0, 0))
    for queue in delays:
        configure(netlink, queue, attribute(COMMAND, struct.pack(">BBH", BIND, 0, socket.AF_INET)))
        configure(netlink, queue, attribute(PARAMETERS, struct.pack(">LB", 0, META)))
        configure(netlink, queue, attribute(LONGEST, struct.pack(">L", 65536)))
    print("delays", flush=True)

    held = []
    while True:
        now = time.monotonic()
        while held and held[0][0] <= now:
            _, queue, packet = heapq.heappop(held)
            verdict = attribute(VERDICT_HEADER, struct.pack(">LL", ACCEPT, packet))
            netlink.send(message(VERDICT, REQUEST, queue, verdict))
        patience = max(0.0, held[0][0] - now) if held else None
        if not select.select([netlink], [], [], patience)[0]:
            continue
        try:
            data = netlink.recv(1 << 20)
        except OSError:
            continue  # the kernel had more than fits, and dropped it, as a link does
        due = time.monotonic()
        for kind, body in messages(data):
            if kind == PACKET:
                (queue,) = struct.unpack_from(">H", body, 2)
                heapq.heappush(held, (due + delays[queue], queue, number(body)))


main(sys.argv[1:])
