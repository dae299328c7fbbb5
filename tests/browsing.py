"""What tests in a browser share: keys, texts of elements, waiting, and what was asked for over the network."""

from __future__ import annotations

import json
from typing import Any


def requests(driver: Any) -> set[str]:
    """The addresses that were asked for, without what comes after #."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return {url.split("#")[0] for url in sent}


def press(page: Any, keys: str) -> None:
    for key in keys:
        page.switch_to.active_element.send_keys(key)


def texts(page: Any, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
    return list(page.execute_script(script, selector))


def here(page: Any) -> str:
    return str(page.execute_script("return document.querySelector('.here').id"))


def ids(page: Any, selector: str) -> list[str]:
    return list(page.execute_script("return [...document.querySelectorAll(arguments[0])].map(e => e.id)", selector))


def wait(page: Any, condition: str) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(page, 300).until(lambda driver: driver.execute_script(f"return {condition}"))
