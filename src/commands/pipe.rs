//! `rcli pipe`: any amount of commands through a window of commands in flight, replies in order (contract section 6).
//!
//! One driver (input, window, order, ending, messages) over one engine of nodes, of which a lone server has one.

mod atomic;
mod blocks;
mod check;
mod driver;
mod ending;
mod engine;
mod files;
mod held_slot;
mod in_flight;
mod keyless;
mod node;
mod output;
mod progress;
mod rendered;
mod reorder;
mod resume;
mod window;

use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use self::driver::Driver;
use self::files::InputFiles;
use self::keyless::{refuse_beside_replica, refuse_unroutable};
use crate::cli::PipeArgs;
use crate::command::restrictions::{refuse_in_block, refuse_in_pipeline};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::input::{RowForm, Template};
use crate::net::Router;

/// Runs the pipeline, or only checks its input.
pub fn run(context: &Context, args: &PipeArgs) -> Outcome<Exit> {
    let mut files = InputFiles::open(&args.files, row_form(args)?)?;
    if args.check {
        let endpoint = &context.config.connection.endpoint;
        let mut router = Router::default();
        return check::run(&mut files, args, |request| {
            let refused = if args.atomic {
                refuse_in_block(request)
            } else if endpoint.cluster.is_some() {
                refuse_unroutable(&mut router, request)
            } else if endpoint.of_replica().is_some() {
                refuse_beside_replica(request)
            } else {
                refuse_in_pipeline(request)
            };
            refused.or_else(|| endpoint.refuse_write(request))
        });
    }
    let endpoint = context.endpoint()?;
    if args.atomic {
        return atomic::run(context, &endpoint, args, &mut files);
    }
    Driver::open(context, &endpoint, args, files)?.run()
}

/// What the rows of the input become, where it is a table.
fn row_form(args: &PipeArgs) -> Outcome<Option<RowForm>> {
    let given = [("--from-csv", &args.from_csv), ("--from-tsv", &args.from_tsv)];
    let form = given.into_iter().find_map(|(option, text)| Some((option, text.as_ref()?)));
    form.map(|(option, text)| {
        let template = Arc::new(Template::read(text.as_bytes(), option)?);
        Ok(RowForm { template, is_tsv: option == "--from-tsv" })
    })
    .transpose()
}
