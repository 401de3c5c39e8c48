//! `completion`: what a shell reads to complete commands.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;
use crate::output::Output;

pub(super) fn run(shell: Shell) -> Output {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "isthmus", &mut script);
    Output::Raw(script)
}
