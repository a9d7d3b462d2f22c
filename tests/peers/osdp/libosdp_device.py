"""libosdp's peripheral device at a serial port, told what to do on stdin; runs where ``libosdp.txt`` is installed.

    python libosdp_device.py PORT ADDRESS [KEY]

KEY is its base key (SCBK) in hex, which it enforces; without one it is in install mode and accepts the default key.
It has 8 outputs, 4 inputs, 2 lights, a buzzer and a keypad. Every line of stdin is a JSON object, every line of
stdout another:

    {"do": "press", "keys": "hex"}          keys are sent as they are
    {"do": "inputs", "report": "hex"}       an input status report at the next poll
    {"do": "state"}                         -> {"secure": true|false, "online": true|false}
    by itself                               -> {"ready": true} at the start
                                            -> {"command": "output" | "led" | "buzzer" | "keyset", ...}, the further
                                               fields as libosdp names them, bytes in hex

It ends when stdin does.
"""

import json
import sys

import serial
from osdp import (
    Capability,
    Channel,
    Command,
    Event,
    LibFlag,
    LogLevel,
    PDCapabilities,
    PDInfo,
    PeripheralDevice,
    StatusReportType,
)

INPUTS = 4
OUTPUTS = 8
CAPABILITIES = [
    (Capability.ContactStatusMonitoring, 1, INPUTS),
    (Capability.OutputControl, 1, OUTPUTS),
    (Capability.LEDControl, 1, 2),
    (Capability.AudibleControl, 1, 1),
    (Capability.Readers, 0, 1),
]
COMMANDS = {
    Command.Output: "output",
    Command.LED: "led",
    Command.Buzzer: "buzzer",
    Command.Keyset: "keyset",
    Command.Comset: "comset",
    Command.Status: "status",
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


def tell_command(command):
    fields = {name: value.hex() if isinstance(value, bytes) else value for name, value in command.items()}
    kind = fields.pop("command")
    tell(command=COMMANDS.get(kind, str(kind)), **fields)
    return 0, None


def obey(device, order):
    if order["do"] == "press":
        device.submit_event({"event": Event.KeyPress, "reader_no": 0, "data": bytes.fromhex(order["keys"])})
    elif order["do"] == "inputs":
        report = bytes.fromhex(order["report"])
        device.submit_event({"event": Event.Status, "type": StatusReportType.Input, "report": report})
    elif order["do"] == "state":
        tell(secure=bool(device.is_sc_active()), online=bool(device.is_online()))
    else:
        raise ValueError(order["do"])


def main(port, address, key=None):
    secure = {"scbk": bytes.fromhex(key), "flags": [LibFlag.EnforceSecure]} if key else {}
    info = PDInfo(int(address), Port(port), **secure)
    device = PeripheralDevice(
        info, PDCapabilities(CAPABILITIES), log_level=LogLevel.Error, command_handler=tell_command
    )
    device.start()
    try:
        tell(ready=True)
        for line in sys.stdin:
            obey(device, json.loads(line))
    finally:
        device.teardown()


if __name__ == "__main__":
    main(*sys.argv[1:])
