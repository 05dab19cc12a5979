"""Bytes to stored text with locators, in killable processes: pages, local files, uploads alike."""
