#!/usr/bin/perl

# Runs a pass on the node of a test and kills it before change NUMBER: killed-pass.pl DIR NUMBER. Each
# system call that changes a file counts, and each program that changes something. Prints the number of
# changes if it was not killed.

use v5.36;

our ($changes, $kill_at);

sub before_change() {
    kill('KILL', $$) if defined($main::kill_at) && $main::changes == $main::kill_at;
    $main::changes++;
    return;
}

BEGIN {
    $changes = 0;
    no warnings 'once';
    *CORE::GLOBAL::rename = sub($from, $to) { main::before_change(); return CORE::rename($from, $to) };
    *CORE::GLOBAL::unlink = sub(@files) {
        main::before_change() if grep { lstat } @files;
        return CORE::unlink(@files);
    };
    *CORE::GLOBAL::mkdir = sub($path, $mode) { main::before_change(); return CORE::mkdir($path, $mode) };
    *CORE::GLOBAL::sysopen = sub :prototype(*$$;$) {
        main::before_change() if $_[2] & Fcntl::O_CREAT();
        return CORE::sysopen($_[0], $_[1], $_[2], $_[3] // 0666);
    };
}

use Fcntl ();
use FindBin;
use IO::Handle ();
use lib $FindBin::Bin;

my ($dir, $number) = @ARGV;

{
    no warnings 'redefine';
    # what was printed gets into the file right before
    my $flush = IO::Handle->can('flush');
    *IO::Handle::flush = sub($fh) { before_change(); return $flush->($fh) };
    # a kill loses nothing of what the kernel has, and syncing takes long
    *IO::Handle::sync = sub($fh) { before_change(); return 1 };
    require PVE::Multipath::Command;
    my $run = \&PVE::Multipath::Command::run;
    *PVE::Multipath::Command::run = sub($command, %options) {
        before_change() if "@$command" =~ m/multipath -|reconfigure|add map/;
        return $run->($command, %options);
    };
}

require MultipathNode;
my $node = bless { dir => $dir }, 'MultipathNode';
$node->enter();
{
    no warnings 'once';
    $PVE::Multipath::Generator::RECORD_AT_ONCE = 2;
}

($changes, $kill_at) = (0, $number);
eval {
    PVE::Multipath::Generator::regenerate(
        $node->text('pve/multipath.cfg') // '', $node->text('pve/multipath-overrides.conf') // '',
    );
};
die $@ if $@ && $@ !~ m/\Amultipathd is not told to read its configuration for now: /;
say $changes;
