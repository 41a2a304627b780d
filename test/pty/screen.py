"""A small terminal: enough of VT100 to see what a program drew, and what scrolled away."""
import re
import unicodedata


def width(ch):
    if unicodedata.combining(ch):
        return 0
    return 2 if unicodedata.east_asian_width(ch) in "WF" else 1


class Screen:
    def __init__(self, rows, cols):
        self.rows, self.cols = rows, cols
        self.lines = [""] * rows
        self.row = self.col = 0
        self.scrolled = []        # lines that left at the top
        self.sequences = []       # escape sequences as they came
        self.cursor_shown = True
        self.wrapped = 0          # lines that ran over the right edge

    def resize(self, rows, cols):
        """As terminals that rewrap do: every line is cut into lines of the new width."""
        text = self.lines[:self.row + 1]
        lines = []
        for i, line in enumerate(text):
            pieces = [line[k:k + cols] for k in range(0, len(line), cols)] or [""]
            if i == self.row:
                self.col = min(self.col, len(pieces[-1]))
            lines += pieces
        self.rows, self.cols = rows, cols
        while len(lines) > rows:
            self.scrolled.append(lines.pop(0))
        self.row = len(lines) - 1
        self.lines = lines + [""] * (rows - len(lines))

    def feed(self, text):
        for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.|.|\n", text, re.S):
            if token.startswith("\x1b"):
                self.escape(token)
            elif token == "\r":
                self.col = 0
            elif token == "\n":
                self.down()
            elif ord(token) >= 32:
                self.put(token)

    def down(self):
        if self.row == self.rows - 1:
            self.scrolled.append(self.lines.pop(0))
            self.lines.append("")
        else:
            self.row += 1

    def put(self, ch):
        if self.col + width(ch) > self.cols:
            self.wrapped += 1
            self.col = 0
            self.down()
        line = self.lines[self.row].ljust(self.col)
        # cells are counted as characters: wide ones are followed by an empty mark
        self.lines[self.row] = line[:self.col] + ch + "\0" * (width(ch) - 1) + line[self.col + width(ch):]
        self.col += width(ch)

    def escape(self, token):
        self.sequences.append(token)
        if not token.startswith("\x1b["):
            raise AssertionError("unknown escape sequence %r" % token)
        body, final = token[2:-1], token[-1]
        number = int(body) if body.isdigit() else 0
        if final == "A":
            self.row = max(0, self.row - max(1, number))
        elif final == "K" and number == 0:
            self.lines[self.row] = self.lines[self.row][:self.col]
        elif final == "J" and number == 0:
            self.lines[self.row] = self.lines[self.row][:self.col]
            self.lines[self.row + 1:] = [""] * (self.rows - self.row - 1)
        elif body in ("?25", "?2026"):
            if body == "?25":
                self.cursor_shown = final == "h"
        elif final != "m":
            raise AssertionError("unexpected escape sequence %r" % token)

    def text(self):
        lines = [line.replace("\0", "").rstrip() for line in self.scrolled + self.lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines
