package PVE::Multipath::File;

=head1 NAME

PVE::Multipath::File - whole files: read, replace, lock

=head1 DESCRIPTION

An absent file is undef, and one that cannot be read is an error: an unreadable file must never be
taken for an empty one. A file is replaced as a whole or not at all. Files that are created here
have the mode 0644, folders 0755 and lock files 0600, whatever the umask is.

The functions of PVE::Tools do not serve here:

=over

=item *

C<file_set_contents> does not sync, neither the file nor its directory. After a power failure the
record of our WWIDs could be empty although entries were added because of it, or a drop-in be back.

=item *

It applies the umask to the mode, and each process leaves a temporary file of another name behind
when it is killed. Here the name is fixed, so the next pass removes it, and does not end in
F<.conf>.

=item *

C<file_get_contents> does not tell an absent file from an unreadable one, and reads at most 1 MiB.

=item *

C<lock_file> cannot try a lock without waiting, prints to stderr each time it has to wait, and
creates a lock file that every user can lock. The lock ends with the process: a C<multipath -a> that
is still at work after its pass was killed would overlap with the next pass. It also uses C<alarm>.

=item *

They need Proxmox VE, and C<pvemultipath> works on recordings without.

=back

=cut

use v5.36;

use Errno qw(EINTR ENOENT EWOULDBLOCK);
use Fcntl qw(
    F_SETFD LOCK_EX LOCK_NB O_CREAT O_EXCL O_NOFOLLOW O_NONBLOCK O_RDONLY O_RDWR O_WRONLY S_ISREG
);
use IO::Handle ();
use Time::HiRes ();

use PVE::Multipath::Clock qw(monotonic);

# How long to wait for a lock that another process has, in seconds.
our $LOCK_TIMEOUT = 10;

my $FILE_MODE = 0644;

sub read($path) {
    my $fh;
    if (!open($fh, '<:raw', $path)) {
        return undef if $! == ENOENT;
        die "cannot read '$path' - $!\n";
    }
    my $raw = '';
    while (1) {
        my $count = sysread($fh, $raw, 1024 * 1024, length($raw));
        die "cannot read '$path' - $!\n" if !defined($count) && !$!{EINTR};
        last if defined($count) && $count == 0;
    }
    return $raw;
}

# What a file holds, as the library takes it: { text } or { error }, undef if it does not exist.
sub content($path) {
    my $text = eval { PVE::Multipath::File::read($path) };
    return { error => $@ =~ s/\n\z//r } if $@;
    return defined($text) ? { text => $text } : undef;
}

# At most so many bytes of a regular file. Anything else is an error, and is not waited for: a pipe, a device.
sub read_start($path, $limit) {
    my $fh;
    if (!sysopen($fh, $path, O_RDONLY | O_NONBLOCK)) {
        return undef if $! == ENOENT;
        die "cannot read '$path' - $!\n";
    }
    die "'$path' is not a regular file\n" if !-f $fh;
    my $raw = '';
    while (length($raw) < $limit) {
        my $count = sysread($fh, $raw, $limit - length($raw), length($raw));
        die "cannot read '$path' - $!\n" if !defined($count) && !$!{EINTR};
        last if defined($count) && $count == 0;
    }
    return $raw;
}

# A regular file that has to be read whole, of at most so many bytes.
sub read_whole($path, $limit) {
    my $text = read_start($path, $limit + 1);
    die "'$path' has more than $limit bytes\n" if length($text // '') > $limit;
    return $text;
}

sub names($path) {
    my $dh;
    if (!opendir($dh, $path)) {
        return undef if $! == ENOENT;
        die "cannot read directory '$path' - $!\n";
    }
    return [sort grep { $_ ne '.' && $_ ne '..' } readdir($dh)];
}

# Gets a file that another program has written, or the entries of a directory, to the disk.
sub sync($path) {
    open(my $fh, '<', $path) or die "cannot open '$path' - $!\n";
    $fh->sync() or die "cannot sync '$path' - $!\n";
    return;
}

# A rename or removal lasts only once the directory is on the disk.
my sub sync_directory($path) {
    return PVE::Multipath::File::sync($path =~ s!/[^/]*\z!!r);
}

my sub write_new($path, $bytes, $attributes) {
    unlink($path) or $! == ENOENT or die "cannot remove '$path' - $!\n";
    sysopen(my $fh, $path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600)
        or die "cannot create '$path' - $!\n";
    binmode($fh);

    my $fail = sub() { die "cannot write '$path' - $!\n" };
    my ($mode, $uid, $gid) = $attributes->@{qw(mode uid gid)};
    # a group may have been set to give access; only root can keep the owner
    chown($uid, $gid, $fh) or chown(-1, $gid, $fh) if defined($uid);
    chmod($mode, $fh) or $fail->();
    (print {$fh} $bytes) && $fh->flush() && $fh->sync() && close($fh) or $fail->();
    return;
}

# Owner, group and mode of a file, without write access for others than its owner. Those of a link's
# target do not count.
my sub attributes_of($path) {
    my @stat = lstat($path);
    die "cannot read '$path' - $!\n" if !@stat && $! != ENOENT;
    return { mode => $FILE_MODE } if !@stat || !S_ISREG($stat[2]);
    return { mode => $stat[2] & $FILE_MODE, uid => $stat[4], gid => $stat[5] };
}

# The name of the new file until it replaces the old one; a killed process leaves it behind.
# multipathd does not read it: it does not end in .conf.
my sub unfinished($path) {
    return "$path.tmp";
}

# Readers see the old or the new content, also after a power failure. A link becomes a file. Callers
# hold a lock, so that no other process replaces the file at the same time. With the option 'keep',
# the file keeps its owner, its group, and a mode that allows less.
sub replace($path, $bytes, %options) {
    my $attributes = $options{keep} ? attributes_of($path) : { mode => $FILE_MODE };

    my $new = unfinished($path);
    my $done = eval {
        write_new($new, $bytes, $attributes);
        rename($new, $path) or die "cannot replace '$path' - $!\n";
        1;
    };
    if (!$done) {
        my $err = $@;
        unlink($new);
        die $err;
    }
    sync_directory($path);
    return;
}

# An absent file is not an error.
sub remove($path) {
    if (!unlink($path)) {
        return if $! == ENOENT;
        die "cannot remove '$path' - $!\n";
    }
    sync_directory($path);
    return;
}

# Removes what killed processes have left of replacing these files.
sub remove_unfinished(@paths) {
    unlink(grep { lstat } map { unfinished($_) } @paths);
    return;
}

sub make_directory($path) {
    return if -d $path;
    make_directory($path =~ s!/[^/]*\z!!r) if $path =~ m!/[^/]+/!;
    if (!mkdir($path, 0755)) {
        return if -d $path;
        die "cannot create directory '$path' - $!\n";
    }
    # whatever the umask is
    chmod(0755, $path) or die "cannot change the mode of '$path' - $!\n";
    return;
}

# Calls the code under a lock, whose file is removed afterwards. Waits for other processes up to
# $timeout seconds; with 0 it returns at once without calling the code if another one has the lock.
# Programs that the code runs inherit the lock: one that is still at work after this process was
# killed keeps it.
sub locked($path, $code, $timeout = $LOCK_TIMEOUT) {
    my $deadline = monotonic() + $timeout;

    my $fh;
    while (1) {
        # a process that can open the file can hold the lock
        sysopen($fh, $path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600)
            or die "cannot lock '$path' - $!\n";
        if (flock($fh, LOCK_EX | LOCK_NB)) {
            # its last holder may have removed the file since it was opened
            my @ours = stat($fh);
            my @present = lstat($path);
            next if !@present || "@ours[0, 1]" ne "@present[0, 1]";
            fcntl($fh, F_SETFD, 0) or die "cannot lock '$path' - $!\n";
            last;
        }
        die "cannot lock '$path' - $!\n" if $! != EWOULDBLOCK && $! != EINTR;
        return if !$timeout;
        die "cannot lock '$path' - another process has held the lock for $timeout seconds\n"
            if monotonic() >= $deadline;
        Time::HiRes::sleep(0.02);
    }

    my @res;
    my $done = eval { @res = $code->(); 1 };
    my $err = $@;
    unlink($path);
    close($fh);

    die $err if !$done;
    return @res;
}

1;
