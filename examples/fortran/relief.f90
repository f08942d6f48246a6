! The relief of an elevation model: how much of the land lies in which band of heights, and how steep it is.
!
!   relief --dem FILE [--dem FILE] [--step METRES]     the last model counts
!
! Results are written to $RUTTER_OUT, progress to $RUTTER_PROGRESS. Rows are spread over $OMP_NUM_THREADS threads.
program relief
  use, intrinsic :: iso_fortran_env, only: int64, real64
  use geotiff, only: model, read_model, fail
  implicit none

  real(real64), parameter :: pi = acos(-1.0_real64), degree = pi / 180
  real(real64), parameter :: major = 6378137.0_real64, eccentricity = 0.0818191908426215_real64   ! WGS 84

  type(model) :: dem
  character(:), allocatable :: path, out
  integer :: step, lowest, highest
  real(real64), allocatable :: areas(:)
  real(real64) :: area, mean, slopes, sloping, steepest
  integer(int64) :: cells

  call arguments(path, step)
  out = variable('RUTTER_OUT')
  if (out == '') out = '.'
  call progress(5, 'reading the model')
  dem = read_model(path)
  call progress(30, 'measuring')
  call heights()
  call steepness()
  call progress(90, 'writing')
  call write_bands(out // '/hypsometry.csv')
  call write_summary(out // '/summary.json')
  call progress(100, 'done')

contains

  subroutine arguments(path, step)
    character(:), allocatable, intent(out) :: path
    integer, intent(out) :: step
    character(4096) :: word, text
    integer :: i, status

    path = ''
    step = 50
    do i = 1, command_argument_count(), 2
      call get_command_argument(i, word)
      call get_command_argument(i + 1, text, status=status)
      if (status /= 0) call fail('a value is missing after ' // trim(word))
      select case (word)
      case ('--dem')
        path = trim(text)
      case ('--step')
        read (text, *, iostat=status) step
        if (status /= 0 .or. step < 1 .or. step > 10000) call fail('--step takes whole metres from 1 to 10000')
      case default
        call fail('unknown: ' // trim(word) // '; give --dem FILE and --step METRES')
      end select
    end do
    if (path == '') call fail('give --dem FILE')
  end subroutine

  logical function known(column, row)
    integer, intent(in) :: column, row

    known = .not. (dem%has_nodata .and. int(dem%height(column, row)) == dem%nodata)
  end function

  ! Area by band of heights, on the ellipsoid.
  subroutine heights()
    integer :: column, row, first, last, band
    real(real64) :: cell, weighted

    lowest = huge(0)
    highest = -huge(0)
    cells = 0
    !$omp parallel do private(column) reduction(min: lowest) reduction(max: highest) reduction(+: cells)
    do row = 1, dem%rows
      do column = 1, dem%columns
        if (.not. known(column, row)) cycle
        cells = cells + 1
        lowest = min(lowest, int(dem%height(column, row)))
        highest = max(highest, int(dem%height(column, row)))
      end do
    end do
    !$omp end parallel do
    if (cells == 0) call fail('the model has no data')
    first = floor(real(lowest, real64) / step)
    last = floor(real(highest, real64) / step)
    allocate (areas(first:last))
    areas = 0
    weighted = 0
    !$omp parallel do private(column, cell, band) reduction(+: areas, weighted)
    do row = 1, dem%rows
      cell = area_of_cell(row)
      do column = 1, dem%columns
        if (.not. known(column, row)) cycle
        band = floor(real(dem%height(column, row), real64) / step)
        areas(band) = areas(band) + cell
        weighted = weighted + cell * dem%height(column, row)
      end do
    end do
    !$omp end parallel do
    area = sum(areas)
    mean = weighted / area
  end subroutine

  ! Slope after Horn (1981): a weighted mean over the eight neighbours. Cells at edges and beside gaps have none.
  subroutine steepness()
    integer :: column, row
    real(real64) :: cell, east, south, slope, latitude

    slopes = 0
    sloping = 0
    steepest = 0
    !$omp parallel do private(column, cell, east, south, slope, latitude) &
    !$omp reduction(+: slopes, sloping) reduction(max: steepest)
    do row = 2, dem%rows - 1
      latitude = (dem%north - (row - 0.5_real64) * dem%step_y) * degree
      cell = area_of_cell(row)
      do column = 2, dem%columns - 1
        if (.not. surrounded(column, row)) cycle
        east = gradient(.true., column, row) / (dem%step_x * degree * across(latitude))
        south = gradient(.false., column, row) / (dem%step_y * degree * along(latitude))
        slope = atan(hypot(east, south)) / degree
        slopes = slopes + slope * cell
        sloping = sloping + cell
        steepest = max(steepest, slope)
      end do
    end do
    !$omp end parallel do
  end subroutine

  logical function surrounded(column, row)
    integer, intent(in) :: column, row
    integer :: i, j

    surrounded = .true.
    do j = row - 1, row + 1
      do i = column - 1, column + 1
        surrounded = surrounded .and. known(i, j)
      end do
    end do
  end function

  ! Change of height per cell to the east, or else to the south.
  real(real64) function gradient(to_the_east, column, row) result(change)
    logical, intent(in) :: to_the_east
    integer, intent(in) :: column, row
    integer :: i, j, weight

    change = 0
    do j = -1, 1
      do i = -1, 1
        weight = merge(i * (2 - abs(j)), j * (2 - abs(i)), to_the_east)
        change = change + weight * real(dem%height(column + i, row + j), real64)
      end do
    end do
    change = change / 8
  end function

  ! Metres per radian of longitude and of latitude.
  real(real64) function across(latitude)
    real(real64), intent(in) :: latitude

    across = major * cos(latitude) / sqrt(1 - (eccentricity * sin(latitude))**2)
  end function

  real(real64) function along(latitude)
    real(real64), intent(in) :: latitude

    along = major * (1 - eccentricity**2) / (1 - (eccentricity * sin(latitude))**2)**1.5_real64
  end function

  ! Square metres of a cell of a row.
  real(real64) function area_of_cell(row)
    integer, intent(in) :: row
    real(real64) :: north

    north = dem%north - (row - 1) * dem%step_y
    area_of_cell = dem%step_x * degree * abs(zone(north * degree) - zone((north - dem%step_y) * degree))
  end function

  ! Area between equator and a latitude, per radian of longitude.
  real(real64) function zone(latitude)
    real(real64), intent(in) :: latitude
    real(real64) :: e, s

    e = eccentricity
    s = sin(latitude)
    zone = major**2 * (1 - e**2) / 2 * (s / (1 - (e * s)**2) + log((1 + e * s) / (1 - e * s)) / (2 * e))
  end function

  subroutine write_bands(file)
    character(*), intent(in) :: file
    integer :: unit, band, status
    real(real64) :: above

    open (newunit=unit, file=file, action='write', status='replace', iostat=status)
    if (status /= 0) call fail('can not write ' // file)
    write (unit, '(a)') 'from_m,to_m,area_km2,share,share_above'
    above = area
    do band = lbound(areas, 1), ubound(areas, 1)
      above = max(above - areas(band), 0.0_real64)
      write (unit, '(i0,",",i0,",",f0.4,2(",",f8.6))') &
        band * step, (band + 1) * step, areas(band) / 1e6_real64, areas(band) / area, above / area
    end do
    close (unit, iostat=status)
    if (status /= 0) call fail('can not write ' // file)
  end subroutine

  subroutine write_summary(file)
    character(*), intent(in) :: file
    integer :: unit, status

    open (newunit=unit, file=file, action='write', status='replace', iostat=status)
    if (status /= 0) call fail('can not write ' // file)
    write (unit, '(a,i0,a)') '{"cells": ', cells, ','
    write (unit, '(3a)') ' "areaKm2": ', plain(area / 1e6_real64), ','
    write (unit, '(a,i0,a,i0,a)') ' "lowestM": ', lowest, ', "highestM": ', highest, ','
    write (unit, '(3a)') ' "meanM": ', plain(mean), ','
    write (unit, '(3a)') ' "meanSlopeDegrees": ', plain(slopes / max(sloping, 1.0_real64)), ','
    write (unit, '(3a)') ' "steepestSlopeDegrees": ', plain(steepest), '}'
    close (unit, iostat=status)
    if (status /= 0) call fail('can not write ' // file)
  end subroutine

  ! A number as JSON writes it.
  function plain(value) result(text)
    real(real64), intent(in) :: value
    character(:), allocatable :: text
    character(40) :: wide

    write (wide, '(f40.3)') value
    text = trim(adjustl(wide))
  end function

  subroutine progress(percent, doing)
    integer, intent(in) :: percent
    character(*), intent(in) :: doing
    character(:), allocatable :: file
    integer :: unit, status

    file = variable('RUTTER_PROGRESS')
    if (file == '') return
    open (newunit=unit, file=file, action='write', position='append', iostat=status)
    if (status /= 0) return
    write (unit, '(i0,1x,a)') percent, doing
    close (unit)
  end subroutine

  function variable(name) result(value)
    character(*), intent(in) :: name
    character(:), allocatable :: value
    character(4096) :: text
    integer :: status

    call get_environment_variable(name, text, status=status)
    value = ''
    if (status == 0) value = trim(text)
  end function
end program
