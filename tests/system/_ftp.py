"""An FTP server for anonymous readers, as much of RFC 959 and RFC 2428 as a download needs."""

import socket
import socketserver


def serving(files):
    """A server of `{"/path": bytes}` on a free port of loopback; serve_forever() is the caller's."""
    class Session(socketserver.StreamRequestHandler):
        def handle(self):
            self.data = None
            self.say("220 ready")
            for line in self.rfile:
                word, _, argument = line.decode().strip().partition(" ")
                answer = getattr(self, "on_" + word.lower(), None)
                if word.upper() == "QUIT":
                    return self.say("221 bye")
                self.say("502 not here") if answer is None else answer(argument)
            return None

        def say(self, text):
            self.wfile.write(text.encode() + b"\r\n")

        def on_user(self, _):
            self.say("331 a password, please")

        def on_pass(self, _):
            self.say("230 welcome")

        def on_pwd(self, _):
            self.say('257 "/" is where you are')

        def on_cwd(self, _):
            self.say("250 there")

        def on_type(self, _):
            self.say("200 as you wish")

        def on_epsv(self, _):
            self.data = socket.create_server(("127.0.0.1", 0))
            self.say(f"229 over there (|||{self.data.getsockname()[1]}|)")

        def on_size(self, name):
            body = files.get("/" + name.lstrip("/"))
            self.say("550 no such file" if body is None else f"213 {len(body)}")

        def on_retr(self, name):
            body = files.get("/" + name.lstrip("/"))
            if body is None:
                return self.say("550 no such file")
            self.say("150 here it comes")
            connection, _ = self.data.accept()
            with connection:
                connection.sendall(body)
            self.data.close()
            return self.say("226 that was all")

    socketserver.ThreadingTCPServer.daemon_threads = True
    return socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
