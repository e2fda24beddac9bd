//! Real servers of several kinds behind the gateway, which remember what they were asked.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{eventually, get};

/// What speaks HTTP behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Node,
    Python,
    Go,
    Nginx,
}

/// A server in a folder of its own, gone with its owner.
pub(crate) struct Backend {
    kind: Kind,
    process: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
}

/// Answers a request once all of it has come, and says at `/seen` what they were: a line each.
const NODE: &str = "
const seen = [];
const server = require('http').createServer((request, response) => {
  if (request.url === '/seen') return response.end(seen.join('\\n'));
  seen.push(request.method + ' ' + request.url);
  request.resume().on('end', () => response.end('ok'));
});
server.on('clientError', (error, socket) => socket.destroy());
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
";

const PYTHON: &str = "
import http.server, sys
seen = []
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *_): pass
    def __getattr__(self, name):
        if name.startswith('do_'): return self.answer
        raise AttributeError(name)
    def answer(self):
        body = b'ok'
        if self.path == '/seen': body = '\\n'.join(seen).encode()
        else:
            seen.append(self.command + ' ' + self.path)
            if self.headers.get('Transfer-Encoding'):
                while True:
                    size = int(self.rfile.readline().split(b';')[0], 16)
                    if size == 0: break
                    self.rfile.read(size + 2)
                while self.rfile.readline() not in (b'\\r\\n', b''): pass
            else: self.rfile.read(int(self.headers.get('Content-Length', 0)))
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD': self.wfile.write(body)
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
";

const GO: &str = "
package main

import (
\t\"fmt\"
\t\"io\"
\t\"net\"
\t\"net/http\"
\t\"strings\"
\t\"sync\"
)

func main() {
\tvar mutex sync.Mutex
\tvar seen []string
\tlistener, err := net.Listen(\"tcp\", \"127.0.0.1:0\")
\tif err != nil {
\t\tpanic(err)
\t}
\tfmt.Println(listener.Addr().(*net.TCPAddr).Port)
\thttp.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
\t\tmutex.Lock()
\t\tdefer mutex.Unlock()
\t\tif r.RequestURI == \"/seen\" {
\t\t\tio.WriteString(w, strings.Join(seen, \"\\n\"))
\t\t\treturn
\t\t}
\t\tseen = append(seen, r.Method+\" \"+r.RequestURI)
\t\tio.Copy(io.Discard, r.Body)
\t\tio.WriteString(w, \"ok\")
\t}))
}
";

impl Backend {
    /// None where there is no such program on this machine.
    pub(crate) fn start(kind: Kind, name: &str) -> Option<Self> {
        let folder = format!("steelyard-{kind:?}-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = match kind {
            Kind::Nginx => return Self::nginx(folder),
            Kind::Node => program("node", &["-e", NODE]),
            Kind::Python => program("python3", &["-c", PYTHON]),
            Kind::Go => go(&folder)?,
        };
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().ok()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap();
        Some(Self { kind, process, folder, address: ([127, 0, 0, 1], port).into() })
    }

    fn nginx(folder: PathBuf) -> Option<Self> {
        let all = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
        let found = all.into_iter().find(|path| Path::new(path).exists())?;
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {}/{name};", folder.display()))
            .concat();
        let conf = format!(
            "daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log;\n\
             events {{ }}\nhttp {{ log_format seen '$request_method $request_uri'; \
             access_log {0}/seen seen; {temporary}\n\
             server {{ listen {address}; location / {{ return 200 ok; }} }} }}\n",
            folder.display()
        );
        std::fs::write(folder.join("nginx.conf"), conf).unwrap();
        let mut command = Command::new(found);
        command.args(["-p".as_ref(), folder.as_os_str(), "-c".as_ref()]);
        let process = command.arg(folder.join("nginx.conf")).stderr(Stdio::null()).spawn().unwrap();
        eventually("nginx listens", || TcpStream::connect(address).is_ok());
        Some(Self { kind: Kind::Nginx, process, folder, address })
    }

    /// What it was asked, a line each.
    pub(crate) fn seen(&self) -> Vec<String> {
        let text = match self.kind {
            // What was asked last is written when this has been answered.
            Kind::Nginx => {
                get(self.address, "a", "/seen");
                eventually("nginx has logged all", || self.log().contains("GET /seen"));
                self.log()
            }
            _ => get(self.address, "a", "/seen").text(),
        };
        // What nginx does not take for a request at all has no name there.
        let is_one = |line: &&str| !line.ends_with(" /seen") && *line != "- -";
        text.lines().filter(is_one).map(str::to_owned).collect()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("seen")).unwrap_or_default()
    }
}

fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).stderr(Stdio::null());
    command
}

/// Built, so that nothing is left when it is killed.
fn go(folder: &Path) -> Option<Command> {
    let source = folder.join("main.go");
    std::fs::write(&source, GO).unwrap();
    let mut build = program("go", &["build", "-o"]);
    build.arg(folder.join("server")).arg(source).env("GO111MODULE", "off");
    build.env("GOCACHE", std::env::temp_dir().join("steelyard-go-cache"));
    build.status().ok()?.success().then(|| Command::new(folder.join("server")))
}

impl Drop for Backend {
    fn drop(&mut self) {
        // nginx takes its worker with it on SIGTERM, not on SIGKILL.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
