"""libosdp's control panel at a serial port, told what to do on stdin; runs where ``libosdp.txt`` is installed.

    python libosdp_panel.py PORT ADDRESS KEY [PATIENCE]

KEY is the device's base key (SCBK) in hex; without a secure channel under it this panel does nothing (it enforces
it). PATIENCE is how many seconds it waits for one at the start. Every line of stdin is a JSON object, every line of
stdout another:

    {"do": "identify"}      -> {"vendor": ..., "model": ..., "serial": ..., "outputs": n, "secure": true}
    {"do": "output", ...}   -> {"done": true}       further fields as libosdp names them
    {"do": "led", ...}, {"do": "buzzer", ...}, {"do": "keyset", "key": "hex"}
    by itself               -> {"secure": true|false}, at the start
                            -> {"keys": "hex"}, {"status": "local" | "input" | "output" | "reader", "report": "hex"}

It ends when stdin does.
"""

import json
import sys

import serial
from osdp import Capability, Channel, Command, ControlPanel, Event, LibFlag, LogLevel, PDInfo, StatusReportType

STATUSES = {
    StatusReportType.Local: "local",
    StatusReportType.Input: "input",
    StatusReportType.Output: "output",
    StatusReportType.Remote: "reader",
}


class Port(Channel):
    """A serial port as libosdp wants it."""

    def __init__(self, path):
        super().__init__()
        self.port = serial.Serial(path, 9600, timeout=0)

    def read(self, max_bytes):
        return self.port.read(max_bytes)

    def write(self, buf):
        return self.port.write(buf)

    def flush(self):
        self.port.flush()


def tell(**what):
    print(json.dumps(what), flush=True)


def tell_event(_device, event):
    if event["event"] == Event.KeyPress:
        tell(keys=event["data"].hex())
    elif event["event"] == Event.Status:
        tell(status=STATUSES[event["type"]], report=event["report"].hex())
    return 0


def identify(panel, address):
    found = panel.get_pd_id(address)
    tell(
        vendor=found.vendor_code,
        model=found.model,
        serial=found.serial_number,
        outputs=panel.check_capability(address, Capability.OutputControl)[1],
        secure=panel.is_sc_active(address),
    )


def obey(panel, address, order):
    kinds = {"output": Command.Output, "led": Command.LED, "buzzer": Command.Buzzer, "keyset": Command.Keyset}
    kind = order.pop("do")
    if kind == "identify":
        identify(panel, address)
        return
    if kind == "keyset":
        order = {"type": 1, "data": bytes.fromhex(order["key"])}
    tell(done=bool(panel.submit_command(address, {"command": kinds[kind], **order})))


def main(port, address, key, patience="10"):
    address = int(address)
    info = PDInfo(address, Port(port), scbk=bytes.fromhex(key), flags=[LibFlag.EnforceSecure])
    panel = ControlPanel([info], log_level=LogLevel.Error, event_handler=tell_event)
    panel.start()
    try:
        tell(secure=panel.sc_wait(address, timeout=int(patience)))
        for line in sys.stdin:
            obey(panel, address, json.loads(line))
    finally:
        panel.teardown()


if __name__ == "__main__":
    main(*sys.argv[1:])
