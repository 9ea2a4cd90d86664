"""The page in a real Chromium, as somebody who looks at it and presses its buttons."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.integration.fleet import wait_for
from tests.integration.saltapi import SECRET

DESKTOP, PHONE = (1280, 900), (390, 844)
_OPTIONS = ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


class Page:
    """One tab.

    Args:
        pictures: where :meth:`picture` puts them.
    """

    def __init__(self, driver: Any, url: str, pictures: Path) -> None:
        self.driver = driver
        self.url = url
        self._pictures = pictures

    def log_in(self, user: str, password: str = SECRET) -> None:
        if not self.driver.current_url.startswith(self.url):
            self.driver.get(f"{self.url}/app")
        form = wait_for(lambda: self.shown("form [name=username]"))
        form.clear()
        form.send_keys(user)
        kind = self.one("[name=eauth]")
        kind.clear()
        kind.send_keys("sharedsecret")
        self.one("[name=password]").send_keys(password, Keys.ENTER)

    def open(self, *parts: str) -> None:
        """A view, by its address."""
        path = "/".join(self.run("return encodeURIComponent(arguments[0])", part) for part in parts)
        self.run("location.hash = arguments[0]", f"#/{path}")

    def one(self, css: str) -> WebElement:
        """The first element that fits, once there is one."""
        found: WebElement = wait_for(lambda: self.driver.find_elements(By.CSS_SELECTOR, css))[0]
        return found

    def shown(self, css: str) -> WebElement | None:
        """The first element that fits and can be seen."""
        with contextlib.suppress(StaleElementReferenceException):
            found = self.driver.find_elements(By.CSS_SELECTOR, css)
            return next((each for each in found if each.is_displayed()), None)
        return None

    def press(self, css: str) -> None:
        """Press what can be seen and fits, once there is something."""

        def pressed() -> bool:
            element = self.shown(css)
            with contextlib.suppress(WebDriverException):
                if element is not None and element.is_enabled():
                    self.run("arguments[0].scrollIntoView({block: 'center'})", element)
                    element.click()
                    return True
            return False

        wait_for(pressed)

    def write(self, css: str, text: str) -> None:
        self.one(css).send_keys(text)

    def text(self, css: str = "main") -> str:
        """All that can be read there; "" while nothing is."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText || ''", css))

    def reads(self, text: str, css: str = "main") -> None:
        """Wait until it can be read there."""
        try:
            wait_for(lambda: text in self.text(css))
        except AssertionError:
            self.picture("not-found")
            raise AssertionError(f"{text!r} is not to be read in {self.text()!r}") from None

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def picture(self, name: str) -> None:
        self._pictures.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(self._pictures / f"{name}.png"))

    def look(self, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> None:
        """On a screen of this size, by day or by night."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def complaints(self) -> list[str]:
        """What the browser has refused or could not do, other than answers of the server that are no success."""
        told = [json.dumps(each["message"]) for each in self.driver.get_log("browser")]
        return [each for each in told if "Failed to load resource" not in each]


@contextlib.contextmanager
def browsing(url: str, pictures: Path) -> Iterator[Page]:
    """Chromium, with nothing kept from one time to the next."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    sandboxed = os.geteuid() != 0  # it refuses to build its sandbox as root
    for option in (*_OPTIONS, *(() if sandboxed else ("--no-sandbox",))):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        page = Page(driver, url, pictures)
        page.look()
        yield page
    finally:
        driver.quit()
