"""The control panel of the ``osdp`` package at a serial port, told what to do on stdin; runs where ``osdp.txt`` is.

    python osdp_panel.py PORT ADDRESS MASTER_KEY

MASTER_KEY is 16 bytes in hex: the package makes the device's key from it, E(MASTER_KEY, cUID | ~cUID). Every line of
stdin is a JSON object, every line of stdout another:

    {"do": "identify"}                       -> {"vendor": "hex", "model": ..., "serial": ..., "functions": {...}}
    {"do": "inputs"} or {"do": "outputs"}    -> {"states": [...]}
    {"do": "output", "number": n, "code": c, "timer": t}             -> {"done": true|false}
    {"do": "led", "number": n, "colour": c, "timer": t}              -> {"done": true|false}, a temporary light
    by itself                                -> {"online": true|false, "secure": true|false}, at the start
                                             -> {"keys": "hex"}, {"nak": code}

The package sends 02 where a permanent light is set, which OSDP does not know; so lights here are temporary ones.
It ends when stdin does.
"""

import json
import sys
import time

from osdp import (
    ControlPanel,
    LedColor,
    OutputControl,
    OutputControlCode,
    OutputControls,
    PermanentReaderControlCode,
    ReaderLedControl,
    ReaderLedControls,
    SerialPortOsdpConnection,
    TemporaryReaderControlCode,
)


def tell(**what):
    print(json.dumps(what), flush=True)


class Panel(ControlPanel):
    """Tells of what comes by itself."""

    def on_keypad_data_reply_received(self, _address, keypad_data):
        tell(keys=bytes(keypad_data.data).hex())

    def on_nak_reply_received(self, _address, nak):
        tell(nak=nak.error_code.value)


def wait_until_secure(panel, bus, address):
    device = panel._buses[bus]._configured_devices[address]
    for _ in range(100):
        if device.is_security_established and panel.is_online(bus, address):
            break
        time.sleep(0.1)
    tell(online=panel.is_online(bus, address), secure=device.is_security_established)


def obey(panel, bus, address, order):
    kind = order["do"]
    if kind == "identify":
        found = panel.id_report(bus, address)
        able = panel.device_capabilities(bus, address).capabilities
        functions = {entry.function.name: [entry.compliance, entry.number_of] for entry in able}
        tell(
            vendor=bytes(found.vendor_code).hex(),
            model=found.model_number,
            serial=found.serial_number,
            functions=functions,
        )
    elif kind in ("inputs", "outputs"):
        ask = panel.input_status if kind == "inputs" else panel.output_status
        tell(states=list(ask(bus, address).statuses))
    elif kind == "output":
        control = OutputControl(order["number"], OutputControlCode(order["code"]), order["timer"])
        tell(done=panel.output_control(bus, address, OutputControls([control])))
    elif kind == "led":
        light = ReaderLedControl(
            0, order["number"],
            TemporaryReaderControlCode.SetTemporaryAndStartTimer, 1, 0, LedColor(order["colour"]), LedColor.Black,
            order["timer"],
            PermanentReaderControlCode.Nop, 0, 0, LedColor.Black, LedColor.Black,
        )  # fmt: skip
        tell(done=panel.reader_led_control(bus, address, ReaderLedControls([light])))
    else:
        raise ValueError(kind)


def main(port, address, master_key):
    address = int(address)
    panel = Panel(master_key=bytes.fromhex(master_key))
    try:
        bus = panel.start_connection(SerialPortOsdpConnection(port=port, baud_rate=9600))
        panel.add_device(connection_id=bus, address=address, use_crc=True, use_secure_channel=True)
        wait_until_secure(panel, bus, address)
        for line in sys.stdin:
            obey(panel, bus, address, json.loads(line))
    finally:
        panel.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
