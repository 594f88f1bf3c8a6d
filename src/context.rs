//! What every verb gets beside its arguments: what was decided, the way to the server, and standard output.

use std::cell::OnceCell;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::{Label, SandboxKind};
use crate::config::{Config, Connection, Elsewhere, Login};
use crate::exit::{Failure, Outcome};
use crate::net::{Address, Credentials, Endpoint, PushListener, Tls};
use crate::render::{self, Record, Renderer, Stdout};
use crate::sandbox::Sandbox;

/// What a verb works with.
pub struct Context {
    /// What was decided.
    pub config: Config,
    /// Whether it is a verb that is typed at the prompt: its server is fetched already.
    is_at_prompt: bool,
    /// What stands for standard output there.
    lines: Option<OpenLines>,
    /// The shell command's input or the file that these are, where they go elsewhere.
    pub sink: Option<Arc<File>>,
    /// The throw-away servers, which live as long as this.
    sandbox: OnceCell<Sandbox>,
}

/// Opens what stands for standard output.
pub type OpenLines = Box<dyn Fn() -> Box<dyn Write + Send> + Send + Sync>;

impl Context {
    /// Of what was decided. Nothing is started yet.
    pub fn new(config: Config) -> Self {
        Self { config, is_at_prompt: false, lines: None, sink: None, sandbox: OnceCell::new() }
    }

    /// Of what was decided for a verb that is typed at the prompt.
    pub fn at_prompt(config: Config, lines: Option<OpenLines>, sink: Option<Arc<File>>) -> Self {
        Self { is_at_prompt: true, lines, sink, ..Self::new(config) }
    }

    /// The server that is meant, ready to be opened: starts the sandbox, reads files and asks for the password, as was
    /// decided. Pushes are written when they come, where they are to be shown.
    pub fn endpoint(&self) -> Outcome<Endpoint> {
        let pushes = if self.config.show_pushes { Some(self.write_pushes()?) } else { None };
        self.endpoint_telling(pushes)
    }

    /// The same; pushes are told to this listener, or to nobody.
    pub fn endpoint_telling(&self, pushes: Option<PushListener>) -> Outcome<Endpoint> {
        if self.is_at_prompt {
            return Ok(Endpoint { pushes, ..self.config.connection.endpoint.clone() });
        }
        let endpoint = fetch(&self.config.connection, pushes)?;
        Ok(match self.start_sandbox()? {
            Some(address) => Endpoint { address, ..endpoint },
            None => endpoint,
        })
    }

    /// Another server, ready to be opened, and what the prompt calls it.
    pub fn elsewhere(
        &self,
        place: &Elsewhere,
        is_tls: bool,
        pushes: Option<PushListener>,
    ) -> Outcome<(Endpoint, Option<Label>)> {
        let (connection, label) = self.config.elsewhere(place, is_tls)?;
        Ok((fetch(&connection, pushes)?, label))
    }

    fn start_sandbox(&self) -> Outcome<Option<Address>> {
        let started = match self.config.connection.sandbox {
            None => return Ok(None),
            Some(_) if self.sandbox.get().is_some() => None,
            Some(SandboxKind::Server) => Some(Sandbox::start()?),
            Some(SandboxKind::Cluster) => Some(Sandbox::start_cluster()?),
        };
        if let Some(sandbox) = started {
            self.sandbox.get_or_init(|| sandbox);
        }
        Ok(self.sandbox.get().map(Sandbox::address))
    }

    /// A renderer over standard output, or over what stands for it.
    pub fn renderer(&self) -> Outcome<Renderer<Stdout>> {
        let stdout = match &self.lines {
            Some(open) => render::lines(open()),
            None => render::stdout().map_err(Failure::output)?,
        };
        Ok(Renderer::new(stdout, self.config.style.clone()))
    }

    /// Whether a line that is written can be written over: standard output is a terminal, and nobody types on it.
    pub fn may_redraw(&self) -> bool {
        self.config.style.is_terminal && self.lines.is_none()
    }

    /// Writes pushes when they come. Where that is not possible, the next reply says so.
    fn write_pushes(&self) -> Outcome<PushListener> {
        let renderer = Mutex::new(self.renderer()?);
        Ok(PushListener::new(move |push| {
            let mut renderer = renderer.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = renderer.write(&Record::Push(push)).and_then(|()| renderer.flush());
        }))
    }
}

/// Reads the files and asks for the password. The address of a sandbox is not known here.
fn fetch(connection: &Connection, pushes: Option<PushListener>) -> Outcome<Endpoint> {
    let Connection { endpoint, tls, login, .. } = connection;
    let tls = tls.as_ref().map(Tls::load).transpose().map_err(Failure::usage)?;
    let credentials = match login {
        None => None,
        Some(Login { user, password }) => {
            let (user, password) = (user.clone(), password.fetch()?);
            // An empty password without a user counts as none.
            (user.is_some() || !password.is_empty()).then_some(Credentials { user, password })
        }
    };
    Ok(Endpoint { tls, credentials, pushes, ..endpoint.clone() })
}
